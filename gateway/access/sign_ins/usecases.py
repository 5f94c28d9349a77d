"""What happens to sign-ins."""

from gateway.access.accounts import rules as accounts
from gateway.access.accounts import usecases as account_usecases
from gateway.access.accounts.rules import Account, Passkey, SignInRefused
from gateway.access.hashing import token_hash
from gateway.access.login_throttling import usecases as attempts
from gateway.access.sessions import rules as sessions
from gateway.access.sessions import usecases as session_usecases
from gateway.access.sessions.rules import Session
from gateway.access.sign_ins import rules
from gateway.access.sign_ins.rules import CodeRefused, SignIn
from gateway.access.transaction import Transaction

WAS_REDEEMED = "authorization code used twice"


async def try_password(login: str, familiar: str, tx: Transaction) -> tuple[Account | None, str]:
    """The account of this login, and the door at which the guess was counted, for unknown logins as for known ones. A familiar place has a door of its own."""
    _, account = await account_usecases.find(login, tx)
    place = token_hash(familiar) if familiar else ""
    door = token_hash(login) + (
        f"/{place}" if account is not None and place in account.familiar else ""
    )
    await attempts.count_attempt(door, tx)
    return account, door


async def begin(signin: SignIn, judged: str, tx: Transaction) -> SignIn:
    """The password was right; SignInRefused where it (`judged`, its hash) changed meanwhile."""
    account = await tx.accounts.get(signin.user_id, scoped=False)
    tx.accounts.hold(account)
    if account.password != judged:
        raise SignInRefused
    return tx.signins.add(signin, scoped=False)


async def try_factor(signin_id: str, tx: Transaction) -> tuple[SignIn, Account]:
    """The sign-in and its account, a try at the second factor counted."""
    known = await tx.signins.seek(signin_id, scoped=False)
    fresh = rules.tried(known, tx.now)
    if known is None:
        raise SignInRefused
    return tx.signins.save(known, fresh), await tx.accounts.get(fresh.user_id, scoped=False)


async def pass_with_code(
    signin_id: str, printed: str, code: str, familiar: str, tx: Transaction
) -> None:
    """Spend a printed code."""
    signin, account = await _open(signin_id, tx)
    await _passed(signin, account, accounts.spend_code(account, printed), "otp", code, familiar, tx)


async def pass_with_passkey(
    signin_id: str, used: Passkey, code: str, familiar: str, tx: Transaction
) -> None:
    """A passkey was proved, judged outside; a copy of it that fell behind meanwhile is refused."""
    signin, account = await _open(signin_id, tx)
    if used.sign_count and account.passkey(used.id).sign_count >= used.sign_count:
        raise SignInRefused
    await _passed(signin, account, accounts.used_passkey(account, used), "hwk", code, familiar, tx)


async def pass_with_device(
    signin_id: str, device_id: str, code: str, familiar: str, tx: Transaction
) -> None:
    """A registered PC and its PIN were proved, judged outside."""
    signin, account = await _open(signin_id, tx)
    if account.device(device_id) is None:
        raise SignInRefused
    await _passed(signin, account, account, "pin", code, familiar, tx)


async def redeem(
    signin_id: str, code: str, verifier: str, session_id: str, refresh: str, tx: Transaction
) -> Session:
    """Make a session of it; CodeRefused otherwise. A code that comes twice gives back its session ended: one of the two was a thief (RFC 6749 4.1.2)."""
    before = await tx.signins.seek(signin_id, scoped=False)
    after = rules.redeem(before, code=code, verifier=verifier, session=session_id, now=tx.now)
    if before is None or after is before:
        return await session_usecases.end_session(after.session, WAS_REDEEMED, tx)
    user = await tx.users.get(after.user_id, scoped=False)
    tx.users.hold(user)
    if user.disabled_at is not None:
        raise CodeRefused
    tx.signins.save(before, after)
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


async def _open(signin_id: str, tx: Transaction) -> tuple[SignIn, Account]:
    signin = await tx.signins.get(signin_id, scoped=False)
    return signin, await tx.accounts.get(signin.user_id, scoped=False)


async def _passed(
    signin: SignIn,
    before: Account,
    after: Account,
    method: str,
    code: str,
    familiar: str,
    tx: Transaction,
) -> None:
    tx.signins.save(signin, rules.passed(signin, method=method, code=code, now=tx.now))
    tx.accounts.save(before, accounts.make_familiar(after, familiar))
    await attempts.forget_attempts(signin.door, tx)
