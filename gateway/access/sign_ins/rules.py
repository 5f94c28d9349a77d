"""Rules of a sign-in between the password and the tokens.

It lasts five minutes, allows three attempts at the second factor, and is redeemed once. Not here:
factors.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import NotFound
from gateway.access.accounts.rules import SignInRefused

LIFETIME = timedelta(minutes=5)
REDEEM_WINDOW = timedelta(seconds=60)
MAX_TRIES = 3


class SignInUnknown(NotFound):
    """No such sign-in."""


class CodeRefused(Exception):
    """No valid authorization code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in whose password was right.

    `door` names its counter of attempts; `code` is the hash of the authorization code after a right
    second factor; `session` the session that it became.
    """

    id: str
    version: int = 0
    user_id: str
    home: str
    door: str
    challenge: str
    code_challenge: str
    tries: int = 0
    amr: tuple[str, ...] = ("pwd",)
    code: str = ""
    passed_at: datetime | None = None
    session: str = ""
    expires_at: datetime


def begin(
    *,
    id: str,
    user_id: str,
    home: str,
    attempts_id: str,
    challenge: str,
    code_challenge: str,
    now: datetime,
) -> SignIn:
    """Return a sign-in whose password was right."""
    return SignIn(
        id=id,
        user_id=user_id,
        home=home,
        door=attempts_id,
        challenge=challenge,
        code_challenge=code_challenge,
        expires_at=now + LIFETIME,
    )


def count_try(signin: SignIn | None, now: datetime) -> SignIn:
    """Count an attempt at the second factor. Raises SignInRefused if none is left."""
    if signin is None or signin.expires_at <= now or signin.code or signin.tries >= MAX_TRIES:
        raise SignInRefused
    return replace(signin, tries=signin.tries + 1)


def accept_factor(signin: SignIn, *, method: str, code: str, now: datetime) -> SignIn:
    """Return the sign-in after a right second factor."""
    if signin.code:
        raise SignInRefused
    return replace(signin, amr=(*signin.amr, method, "mfa"), code=code, passed_at=now)


def redeem(
    signin: SignIn | None, *, code: str, verifier: str, session: str, now: datetime
) -> SignIn:
    """Redeem the authorization code for a session, within REDEEM_WINDOW.

    `verifier` proves that the same client began the sign-in (RFC 7636, S256). A sign-in that was
    redeemed before is returned unchanged, with its first session. Raises CodeRefused.
    """
    if signin is None or not signin.code or signin.code != code or signin.passed_at is None:
        raise CodeRefused
    if signin.session:
        return signin
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    )
    if now > signin.passed_at + REDEEM_WINDOW or challenge != signin.code_challenge:
        raise CodeRefused
    return replace(signin, session=session)
