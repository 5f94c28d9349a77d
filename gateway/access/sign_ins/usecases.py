"""Use cases of sign-ins. Not here: rules and routes."""

from gateway.access.accounts import rules as accounts
from gateway.access.accounts import usecases as account_usecases
from gateway.access.accounts.rules import Account, Passkey, SignInRefused
from gateway.access.hashing import hash_token
from gateway.access.login_throttling import usecases as attempts
from gateway.access.sessions import rules as sessions
from gateway.access.sessions import usecases as session_usecases
from gateway.access.sessions.rules import Session
from gateway.access.sign_ins import rules
from gateway.access.sign_ins.rules import CodeRefused, SignIn
from gateway.access.transaction import Transaction

CODE_REUSED = "authorization code used twice"


async def count_password_try(
    login: str, familiar: str, tx: Transaction
) -> tuple[Account | None, str]:
    """Count an attempt; return the account of this login and the id of the counter.

    Unknown logins are counted like known ones. A familiar PC has a counter of its own.
    """
    _, account = await account_usecases.find_account(login, tx)
    place = hash_token(familiar) if familiar else ""
    attempts_id = hash_token(login) + (
        f"/{place}" if account is not None and place in account.familiar else ""
    )
    await attempts.count_attempt(attempts_id, tx)
    return account, attempts_id


async def begin(signin: SignIn, verified_password_hash: str, tx: Transaction) -> SignIn:
    """Begin a sign-in. Raises SignInRefused if the password was changed meanwhile."""
    account = await tx.accounts.get(signin.user_id, scoped=False)
    tx.accounts.hold(account)
    if account.password != verified_password_hash:
        raise SignInRefused
    return tx.sign_ins.add(signin, scoped=False)


async def count_factor_try(signin_id: str, tx: Transaction) -> tuple[SignIn, Account]:
    """Count an attempt at the second factor; return the sign-in and its account."""
    known = await tx.sign_ins.seek(signin_id, scoped=False)
    fresh = rules.count_try(known, tx.now)
    if known is None:
        raise SignInRefused
    return tx.sign_ins.save(known, fresh), await tx.accounts.get(fresh.user_id, scoped=False)


async def pass_with_code(
    signin_id: str, printed: str, code: str, familiar: str, tx: Transaction
) -> None:
    """Accept a printed code and use it up."""
    signin, account = await _get_sign_in(signin_id, tx)
    await _accept_factor(
        signin, account, accounts.spend_code(account, printed), "otp", code, familiar, tx
    )


async def pass_with_passkey(
    signin_id: str, used: Passkey, code: str, familiar: str, tx: Transaction
) -> None:
    """Accept a passkey that was verified outside the transaction.

    A signature counter that did not increase is refused, because the key may be a copy.
    """
    signin, account = await _get_sign_in(signin_id, tx)
    if used.sign_count and account.get_passkey(used.id).sign_count >= used.sign_count:
        raise SignInRefused
    await _accept_factor(
        signin, account, accounts.update_passkey(account, used), "hwk", code, familiar, tx
    )


async def pass_with_device(
    signin_id: str, device_id: str, code: str, familiar: str, tx: Transaction
) -> None:
    """Accept a registered PC and its PIN, verified outside the transaction."""
    signin, account = await _get_sign_in(signin_id, tx)
    if account.find_device(device_id) is None:
        raise SignInRefused
    await _accept_factor(signin, account, account, "pin", code, familiar, tx)


async def redeem(
    signin_id: str, code: str, verifier: str, session_id: str, refresh: str, tx: Transaction
) -> Session:
    """Redeem an authorization code for a session. Raises CodeRefused.

    A code that is used twice ends its session, which is returned: one of the two callers has stolen
    it (RFC 6749, 4.1.2).
    """
    before = await tx.sign_ins.seek(signin_id, scoped=False)
    after = rules.redeem(before, code=code, verifier=verifier, session=session_id, now=tx.now)
    if before is None or after is before:
        return await session_usecases.end_session(after.session, CODE_REUSED, tx)
    user = await tx.users.get(after.user_id, scoped=False)
    tx.users.hold(user)
    if user.disabled_at is not None:
        raise CodeRefused
    tx.sign_ins.save(before, after)
    return await session_usecases.start_session(
        sessions.start(
            id=session_id,
            user_id=after.user_id,
            home=after.home,
            amr=after.amr,
            refresh=refresh,
            now=tx.now,
        ),
        tx,
    )


async def _get_sign_in(signin_id: str, tx: Transaction) -> tuple[SignIn, Account]:
    signin = await tx.sign_ins.get(signin_id, scoped=False)
    return signin, await tx.accounts.get(signin.user_id, scoped=False)


async def _accept_factor(
    signin: SignIn,
    before: Account,
    after: Account,
    method: str,
    code: str,
    familiar: str,
    tx: Transaction,
) -> None:
    tx.sign_ins.save(signin, rules.accept_factor(signin, method=method, code=code, now=tx.now))
    tx.accounts.save(before, accounts.add_familiar(after, familiar))
    await attempts.forget_attempts(signin.door, tx)
