"""Rules of accounts at the built-in issuer.

An account has a password, printed codes, passkeys and registered PCs, but no name of a person. Not
here: hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.errors import Conflict, NotFound, Refused, Unauthenticated
from gateway.texts import TEXTS

CODE_COUNT = 10
RESET_LIFETIME = timedelta(hours=72)
CEREMONY_LIFETIME = timedelta(minutes=5)
MIN_PASSWORD_LENGTH = 12
MIN_DISTINCT_CHARACTERS = 5
MAX_FACTORS = 10
MAX_FAMILIAR = 10


class AccountUnknown(NotFound):
    """No such account at the built-in issuer."""

    title = TEXTS["errors.account_unknown"]


class SignInRefused(Unauthenticated):
    """Login, password or code is wrong, or the account is unknown; callers cannot tell which."""

    title = TEXTS["errors.sign_in_refused"]


class PasswordWeak(Refused):
    """The password is too short, has too few distinct characters, or contains the login."""

    title = TEXTS["errors.password_weak"]
    field = "password"


class FactorLimit(Conflict):
    """The account already has MAX_FACTORS passkeys or PCs."""

    title = TEXTS["errors.factor_limit"]


class FactorUnknown(NotFound):
    """No such passkey or PC of this account."""

    title = TEXTS["errors.factor_unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey or security key (WebAuthn). `id` and `public_key` in base64url."""

    id: str
    public_key: str
    sign_count: int
    label: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A registered PC: a public key and the hash of a PIN.

    The browser keeps the private key and cannot export it.
    """

    id: str
    public_key: str
    pin: str
    label: str
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The credentials of one user.

    `password`, `codes`, `familiar` and `reset` are hashes; `password` is "" until the owner chooses
    one. `ceremony` is the challenge of a passkey's registration in progress.
    """

    id: str
    version: int = 0
    home: str
    password: str = ""
    codes: tuple[str, ...] = ()
    passkeys: tuple[Passkey, ...] = ()
    devices: tuple[Device, ...] = ()
    familiar: tuple[str, ...] = ()
    reset: str = ""
    reset_until: datetime | None = None
    ceremony: str = ""
    ceremony_until: datetime | None = None

    @property
    def factors(self) -> list[str]:
        """Return the kinds of second factors that this account has."""
        kinds = {"passkey": self.passkeys, "device": self.devices, "code": self.codes}
        return [kind for kind, registered in kinds.items() if registered]

    def get_passkey(self, id_: str) -> Passkey:
        """Return a passkey of this account. Raises SignInRefused."""
        for passkey in self.passkeys:
            if passkey.id == id_:
                return passkey
        raise SignInRefused

    def find_device(self, id_: str) -> Device | None:
        """Return a registered PC of this account, or None."""
        return next((device for device in self.devices if device.id == id_), None)


def check_password(password: str, login: str) -> None:
    """Refuse a weak password. Raises PasswordWeak.

    After NIST SP 800-63B: length and variety, no composition rules.
    """
    if (
        len(password) < MIN_PASSWORD_LENGTH
        or len(set(password)) < MIN_DISTINCT_CHARACTERS
        or login.lower() in password.lower()
    ):
        raise PasswordWeak


def reset(account: Account, code: str, now: datetime) -> Account:
    """Return an account without factors, which this code enrols once within RESET_LIFETIME."""
    return Account(
        id=account.id,
        version=account.version,
        home=account.home,
        reset=code,
        reset_until=now + RESET_LIFETIME,
    )


def enrol(
    account: Account | None,
    *,
    code: str,
    password: str,
    codes: Sequence[str],
    familiar: str,
    now: datetime,
) -> Account:
    """Return the account with its password and printed codes.

    Raises SignInRefused unless the code of the reset is right and has not expired.
    """
    if (
        account is None
        or not account.reset
        or account.reset != code
        or account.reset_until is None
        or account.reset_until <= now
    ):
        raise SignInRefused
    return replace(
        account,
        reset="",
        reset_until=None,
        password=password,
        codes=tuple(codes),
        familiar=(familiar,),
    )


def spend_code(account: Account, code: str) -> Account:
    """Return the account without this printed code. Raises SignInRefused."""
    if code not in account.codes:
        raise SignInRefused
    return replace(account, codes=tuple(one for one in account.codes if one != code))


def add_familiar(account: Account, familiar: str) -> Account:
    """Remember a PC from which the account signed in; keep the newest MAX_FAMILIAR."""
    return replace(account, familiar=(*account.familiar, familiar)[-MAX_FAMILIAR:])


def begin_ceremony(account: Account, challenge: str, now: datetime) -> Account:
    """Allow one passkey to be added with this challenge, within CEREMONY_LIFETIME."""
    if len(account.passkeys) >= MAX_FACTORS:
        raise FactorLimit
    return replace(account, ceremony=challenge, ceremony_until=now + CEREMONY_LIFETIME)


def add_passkey(account: Account, passkey: Passkey) -> Account:
    """Return the account with one more passkey; the ceremony ends."""
    return replace(account, passkeys=(*account.passkeys, passkey), ceremony="", ceremony_until=None)


def update_passkey(account: Account, passkey: Passkey) -> Account:
    """Return the account with the new counter of this passkey."""
    return replace(
        account,
        passkeys=tuple(passkey if one.id == passkey.id else one for one in account.passkeys),
    )


def add_device(account: Account, device: Device) -> Account:
    """Return the account with one more registered PC."""
    if len(account.devices) >= MAX_FACTORS:
        raise FactorLimit
    return replace(account, devices=(*account.devices, device))


def remove_factor(account: Account, id_: str) -> Account:
    """Return the account without that passkey or PC. Raises FactorUnknown."""
    passkeys = tuple(one for one in account.passkeys if one.id != id_)
    devices = tuple(one for one in account.devices if one.id != id_)
    if len(passkeys) + len(devices) == len(account.passkeys) + len(account.devices):
        raise FactorUnknown
    return replace(account, passkeys=passkeys, devices=devices)
