"""Use cases of accounts. Not here: rules and routes."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.access.accounts import rules
from gateway.access.accounts.rules import Account, AccountUnknown, Device, Passkey, SignInRefused
from gateway.access.identity import BUILTIN_ISSUER
from gateway.access.login_throttling import usecases as attempts
from gateway.access.sessions import usecases as sessions
from gateway.access.transaction import Transaction
from gateway.access.users import usecases as users
from gateway.access.users.rules import User


async def open_account(login: str, home: str, tx: Transaction) -> Account:
    """Return the account of this login; open it if it is new."""
    user = await users.register_user(BUILTIN_ISSUER, login, home, tx)
    known = await tx.accounts.seek(user.id)
    if known is not None:
        return known
    return tx.accounts.add(Account(id=user.id, home=home))


async def reset_account(user_id: str, code: str, tx: Transaction) -> Account:
    """Reset the account to this hashed code and end its sessions."""
    before = await tx.accounts.get(user_id)
    await sessions.end_all_sessions(user_id, "reset", tx)
    return tx.accounts.save(before, rules.reset(before, code, tx.now))


async def enrol(
    login: str, code: str, password: str, codes: Sequence[str], familiar: str, tx: Transaction
) -> Account:
    """Set the password of an account with the code of its reset. Raises SignInRefused."""
    _, before = await find_account(login, tx)
    after = rules.enrol(
        before, code=code, password=password, codes=codes, familiar=familiar, now=tx.now
    )
    if before is None:
        raise SignInRefused
    return tx.accounts.save(before, after)


async def find_account(login: str, tx: Transaction) -> tuple[User | None, Account | None]:
    """Return user and account of a login; no account if the user is disabled.

    An unknown login costs the same reads.
    """
    user = await tx.users.find_by_external(BUILTIN_ISSUER, login)
    account = await tx.accounts.seek(login if user is None else user.id, scoped=False)
    if user is None or user.disabled_at is not None:
        return user, None
    return user, account


async def get_own_account(tx: Transaction) -> Account:
    """Return the caller's account."""
    return await tx.accounts.get(tx.caller.subject, scoped=False)


async def count_own_password_try(tx: Transaction) -> tuple[User, Account]:
    """Count an attempt at the caller's password; return user and account."""
    account = await get_own_account(tx)
    await attempts.count_attempt(_attempts_id(account), tx)
    return await tx.users.get(account.id, scoped=False), account


async def accept_own_password(tx: Transaction) -> None:
    """Reset the count of attempts at the caller's password."""
    await attempts.forget_attempts(_attempts_id(await get_own_account(tx)), tx)


async def change_password(password: str, tx: Transaction) -> Account:
    """Set another password (a hash of one already checked); end all sessions."""
    before = await get_own_account(tx)
    await sessions.end_all_sessions(before.id, "password changed", tx)
    return tx.accounts.save(before, replace(before, password=password))


async def renew_codes(codes: Sequence[str], tx: Transaction) -> Account:
    """Replace the printed codes."""
    before = await get_own_account(tx)
    return tx.accounts.save(before, replace(before, codes=tuple(codes)))


async def begin_passkey(challenge: str, tx: Transaction) -> Account:
    """Begin to add a passkey."""
    before = await get_own_account(tx)
    return tx.accounts.save(before, rules.begin_ceremony(before, challenge, tx.now))


async def get_expected_challenge(tx: Transaction) -> str:
    """Return the challenge of the current ceremony. Raises AccountUnknown."""
    account = await get_own_account(tx)
    if not account.ceremony or account.ceremony_until is None or account.ceremony_until <= tx.now:
        raise AccountUnknown
    return account.ceremony


async def add_passkey(passkey: Passkey, challenge: str, tx: Transaction) -> Account:
    """Store the new passkey. Raises AccountUnknown if its ceremony has ended."""
    if await get_expected_challenge(tx) != challenge:
        raise AccountUnknown
    before = await get_own_account(tx)
    return tx.accounts.save(before, rules.add_passkey(before, passkey))


async def add_device(device: Device, tx: Transaction) -> Account:
    """Register a PC."""
    before = await get_own_account(tx)
    return tx.accounts.save(before, rules.add_device(before, device))


async def remove_factor(id_: str, tx: Transaction) -> Account:
    """Remove a passkey or a PC."""
    before = await get_own_account(tx)
    return tx.accounts.save(before, rules.remove_factor(before, id_))


def _attempts_id(account: Account) -> str:
    return f"own/{account.id}"
