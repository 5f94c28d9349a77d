"""Routes of signing in at the built-in issuer: a password, then a second factor.

The answer is an authorization code for the token endpoint. Not here: rules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from webauthn.helpers import bytes_to_base64url, generate_challenge

from chassis.http import dependencies
from chassis.ids import new_id, utc_now
from gateway.access.accounts import devices
from gateway.access.accounts.rules import SignInRefused
from gateway.access.hashing import hash_code, hash_token, new_token
from gateway.access.issuer_dependencies import IssuerDeps, NonRepeatableRun
from gateway.access.sign_ins import rules, usecases
from gateway.access.transaction import Transaction

router = APIRouter()

CODE_SECONDS = int(rules.REDEEM_WINDOW.total_seconds())


class PasswordForm(BaseModel):
    """Login and password.

    `code_challenge` is the S256 hash of a secret that the page keeps (RFC 7636). `familiar` is the
    value that this PC got at its last sign-in.
    """

    model_config = dependencies.STRICT

    login: Annotated[str, Field(min_length=1, max_length=60)]
    password: Annotated[str, Field(min_length=1, max_length=200)]
    code_challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
    familiar: Annotated[str, Field(max_length=100)] = ""


class Begun(BaseModel):
    """The second factors of this account.

    `passkey` are the WebAuthn options for its passkeys; a registered PC signs `challenge`.
    """

    sign_in: str
    factors: list[str]
    challenge: str
    passkey: dict[str, Any] | None
    expires_in: int


class CodeForm(BaseModel):
    """A printed code."""

    model_config = dependencies.STRICT

    code: Annotated[str, Field(max_length=60)]


class PasskeyForm(BaseModel):
    """The browser's WebAuthn response."""

    model_config = dependencies.STRICT

    credential: dict[str, Any]


class DeviceForm(BaseModel):
    """The PC's signature of the challenge (base64url, r and s), and its PIN."""

    model_config = dependencies.STRICT

    device: str
    signature: Annotated[str, Field(max_length=200)]
    pin: Annotated[str, Field(max_length=12)]


class Passed(BaseModel):
    """The authorization code, and the value by which this PC is recognised next time."""

    code: str
    familiar: str
    expires_in: int = CODE_SECONDS


@router.post("/v1/sign-in", status_code=201)
async def begin(body: PasswordForm, deps: IssuerDeps, run: NonRepeatableRun) -> Begun:
    """Begin with the password.

    A wrong password, an unknown login and a disabled account get the same response after the same
    work.
    """
    account, attempts_id = await run(
        partial(usecases.count_password_try, body.login, body.familiar)
    )
    right = await deps.password_hasher.verify_password(
        body.password, account.password if account else ""
    )
    if account is None or not right:
        raise SignInRefused
    challenge = bytes_to_base64url(generate_challenge())
    fresh = rules.begin(
        id=new_id(),
        user_id=account.id,
        home=account.home,
        attempts_id=attempts_id,
        challenge=challenge,
        code_challenge=body.code_challenge,
        now=utc_now(),
    )
    signin = await run(partial(usecases.begin, fresh, account.password))
    return Begun(
        sign_in=signin.id,
        factors=account.factors,
        challenge=challenge,
        passkey=deps.relying_party.authentication_options(challenge, account.passkeys)
        if account.passkeys
        else None,
        expires_in=int(rules.LIFETIME.total_seconds()),
    )


@router.post("/v1/sign-in/{sign_in}/code")
async def prove_by_code(
    sign_in: str, body: CodeForm, _: IssuerDeps, run: NonRepeatableRun
) -> Passed:
    """Prove the second factor by a printed code, which is used up."""
    await run(partial(usecases.count_factor_try, sign_in))
    return await _complete_sign_in(
        sign_in, run, partial(usecases.pass_with_code, sign_in, hash_code(body.code))
    )


@router.post("/v1/sign-in/{sign_in}/passkey")
async def prove_by_passkey(
    sign_in: str, body: PasskeyForm, deps: IssuerDeps, run: NonRepeatableRun
) -> Passed:
    """Prove the second factor by a passkey or security key."""
    signin, account = await run(partial(usecases.count_factor_try, sign_in))
    used = deps.relying_party.verify_authentication(
        account.get_passkey(str(body.credential.get("id", ""))), body.credential, signin.challenge
    )
    return await _complete_sign_in(sign_in, run, partial(usecases.pass_with_passkey, sign_in, used))


@router.post("/v1/sign-in/{sign_in}/device")
async def prove_by_device(
    sign_in: str, body: DeviceForm, deps: IssuerDeps, run: NonRepeatableRun
) -> Passed:
    """Prove the second factor by a registered PC and its PIN."""
    signin, account = await run(partial(usecases.count_factor_try, sign_in))
    device = account.find_device(body.device)
    pin_fits = await deps.password_hasher.verify_password(body.pin, device.pin if device else "")
    if (
        device is None
        or not pin_fits
        or not devices.has_signed(device.public_key, signin.challenge, body.signature)
    ):
        raise SignInRefused
    return await _complete_sign_in(
        sign_in, run, partial(usecases.pass_with_device, sign_in, device.id)
    )


async def _complete_sign_in(
    sign_in: str,
    run: NonRepeatableRun,
    use_case: Callable[[str, str, Transaction], Awaitable[None]],
) -> Passed:
    secret = new_token()
    familiar = new_token()
    await run(partial(use_case, hash_token(secret), hash_token(familiar)))
    return Passed(code=f"{sign_in}.{secret}", familiar=familiar)
