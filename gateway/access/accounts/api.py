"""Routes of accounts: administrators open them, owners use and change them.

Not here: rules and storage.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from webauthn.helpers import bytes_to_base64url, generate_challenge

from chassis.errors import Refused
from chassis.http import dependencies
from chassis.ids import new_id, utc_now
from gateway.access.accounts import devices, rules, usecases
from gateway.access.accounts.rules import Account, Device
from gateway.access.hashing import hash_code, hash_token, new_code, new_token
from gateway.access.issuer_dependencies import IssuerDependencies, IssuerDeps, NonRepeatableRun
from gateway.access.transaction import Run
from gateway.texts import TEXTS

router = APIRouter()

Login = Annotated[str, Field(min_length=3, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Password = Annotated[str, Field(min_length=1, max_length=200)]
Label = Annotated[str, Field(min_length=1, max_length=60)]
Pin = Annotated[str, Field(pattern=r"^[0-9]{6,12}$")]


class PasswordDiffers(Refused):
    """The given password is not the caller's."""

    title = TEXTS["errors.password_differs"]
    field = "password"


class AccountForm(BaseModel):
    """A new account: a login, which must not be a person's name, and its home."""

    model_config = dependencies.STRICT

    login: Login
    home: Annotated[str, Field(max_length=200)]


class AccountBody(BaseModel):
    """The state of an account."""

    user_id: str
    enrolled: bool
    factors: list[str]

    @classmethod
    def of(cls, account: Account) -> AccountBody:
        return cls(user_id=account.id, enrolled=bool(account.password), factors=account.factors)


class ResetBody(BaseModel):
    """The code to print and hand over in person; shown once."""

    code: str
    valid_until: datetime


class EnrolmentForm(BaseModel):
    """The printed code, and the password that its holder chooses."""

    model_config = dependencies.STRICT

    login: str
    code: Annotated[str, Field(max_length=60)]
    password: Password


class Enrolled(BaseModel):
    """Codes to print, each valid for one sign-in, and the value that this PC keeps; shown once."""

    codes: list[str]
    familiar: str


class PasswordForm(BaseModel):
    """The current password."""

    model_config = dependencies.STRICT

    password: Password


class NewPasswordForm(PasswordForm):
    """The current password and the new one."""

    new: Password


class PasskeyForm(BaseModel):
    """The browser's WebAuthn response to the options."""

    model_config = dependencies.STRICT

    label: Label
    credential: dict[str, Any]


class DeviceForm(PasswordForm):
    """A PC to register: its public key (JWK, P-256), and a PIN of at least six digits."""

    label: Label
    public_key: dict[str, Any]
    pin: Pin


class FactorBody(BaseModel):
    """A passkey or a registered PC."""

    id: str
    label: str
    added_at: datetime


class FactorsBody(BaseModel):
    """All second factors of an account."""

    passkeys: list[FactorBody]
    devices: list[FactorBody]
    codes_left: int


class CodesBody(BaseModel):
    """Printed codes, shown once."""

    codes: list[str]


@router.put("/v1/access/accounts")
async def open_account(body: AccountForm, _: IssuerDeps, run: Run) -> AccountBody:
    """Open an account at the built-in issuer; a repeat returns the same account.

    The account can be used after a reset.
    """
    return AccountBody.of(await run(partial(usecases.open_account, body.login, body.home)))


@router.post("/v1/access/users/{user_id}/reset")
async def reset_account(user_id: str, _: IssuerDeps, run: NonRepeatableRun) -> ResetBody:
    """Reset an account and return the code with which its owner enrols again.

    The former password, factors and sessions are no longer valid.
    """
    code = new_code()
    account = await run(partial(usecases.reset_account, user_id, hash_code(code)))
    return ResetBody(code=code, valid_until=account.reset_until or utc_now())


@router.post("/v1/enrolment", status_code=201)
async def enrol(body: EnrolmentForm, deps: IssuerDeps, run: NonRepeatableRun) -> Enrolled:
    """Enrol: set the password of an account with the code of its reset."""
    rules.check_password(body.password, body.login)
    codes = [new_code() for _ in range(rules.CODE_COUNT)]
    familiar = new_token()
    password = await deps.password_hasher.hash_password(body.password)
    code_hashes = [hash_code(code) for code in codes]
    await run(
        partial(
            usecases.enrol,
            body.login,
            hash_code(body.code),
            password,
            code_hashes,
            hash_token(familiar),
        )
    )
    return Enrolled(codes=codes, familiar=familiar)


@router.get("/v1/me/factors")
async def show_factors(_: IssuerDeps, run: Run) -> FactorsBody:
    """Show the caller's second factors."""
    return _factors_body(await run(usecases.get_own_account))


@router.put("/v1/me/password", status_code=204)
async def change_password(body: NewPasswordForm, deps: IssuerDeps, run: NonRepeatableRun) -> None:
    """Change the caller's password; all their sessions end."""
    login = await _verify_own_password(body.password, deps, run)
    rules.check_password(body.new, login)
    await run(partial(usecases.change_password, await deps.password_hasher.hash_password(body.new)))


@router.put("/v1/me/codes")
async def renew_codes(body: PasswordForm, deps: IssuerDeps, run: NonRepeatableRun) -> CodesBody:
    """Replace the caller's printed codes; the former ones are no longer valid."""
    await _verify_own_password(body.password, deps, run)
    codes = [new_code() for _ in range(rules.CODE_COUNT)]
    await run(partial(usecases.renew_codes, [hash_code(code) for code in codes]))
    return CodesBody(codes=codes)


@router.post("/v1/me/passkeys/options")
async def begin_passkey(
    body: PasswordForm, deps: IssuerDeps, run: NonRepeatableRun
) -> dict[str, Any]:
    """Return the options with which a browser creates or registers a passkey (WebAuthn)."""
    login = await _verify_own_password(body.password, deps, run)
    challenge = bytes_to_base64url(generate_challenge())
    account = await run(partial(usecases.begin_passkey, challenge))
    return deps.relying_party.registration_options(account.id, login, challenge, account.passkeys)


@router.post("/v1/me/passkeys", status_code=201)
async def add_passkey(body: PasskeyForm, deps: IssuerDeps, run: NonRepeatableRun) -> FactorsBody:
    """Store the passkey that the browser created."""
    challenge = await run(usecases.get_expected_challenge)
    passkey = deps.relying_party.verify_registration(
        body.credential, challenge, body.label, utc_now()
    )
    return _factors_body(await run(partial(usecases.add_passkey, passkey, challenge)))


@router.post("/v1/me/devices", status_code=201)
async def add_device(body: DeviceForm, deps: IssuerDeps, run: NonRepeatableRun) -> FactorBody:
    """Register the caller's PC."""
    await _verify_own_password(body.password, deps, run)
    key = devices.serialise_key(body.public_key)
    pin = await deps.password_hasher.hash_password(body.pin)
    id_ = new_id()
    device = Device(id=id_, public_key=key, pin=pin, label=body.label, added_at=utc_now())
    await run(partial(usecases.add_device, device))
    return _factor_body(device)


@router.delete("/v1/me/factors/{factor_id}", status_code=204)
async def remove_factor(factor_id: str, _: IssuerDeps, run: Run) -> None:
    """Remove a passkey or a registered PC."""
    await run(partial(usecases.remove_factor, factor_id))


async def _verify_own_password(
    password: str, deps: IssuerDependencies, run: NonRepeatableRun
) -> str:
    """Check the caller's password and return their login. Raises PasswordDiffers."""
    user, account = await run(usecases.count_own_password_try)
    if not await deps.password_hasher.verify_password(password, account.password):
        raise PasswordDiffers
    await run(usecases.accept_own_password)
    return user.external


def _factors_body(account: Account) -> FactorsBody:
    return FactorsBody(
        passkeys=[_factor_body(one) for one in account.passkeys],
        devices=[_factor_body(one) for one in account.devices],
        codes_left=len(account.codes),
    )


def _factor_body(factor: rules.Passkey | Device) -> FactorBody:
    return FactorBody(id=factor.id, label=factor.label, added_at=factor.added_at)
