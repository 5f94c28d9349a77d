"""What happens to users."""

from chassis.ids import new_id
from chassis.unit_of_work import Page
from gateway.revocations import usecases as revocations
from gateway.transaction import Transaction
from gateway.users import rules
from gateway.users.rules import User


async def register_user(issuer: str, external: str, home: str, tx: Transaction) -> User:
    """The user whom this issuer calls so, registered now if they were not; asked again it gives the same one."""
    known = await tx.users.called(issuer, external)
    return tx.users.add(User(id=new_id(), issuer=issuer, external=external, home=home)) if known is None else rules.known_at(known, home)


async def list_users(cursor: str | None, limit: int, tx: Transaction) -> Page[User]:
    """A page of users."""
    return await tx.users.listed(cursor, limit)


async def show_user(user_id: str, tx: Transaction) -> User:
    """A user."""
    return await tx.users.get(user_id)


async def disable_user(user_id: str, tx: Transaction) -> User:
    """Let nobody act as this user, from now on and with what they hold."""
    before = await tx.users.get(user_id)
    after = rules.disable(before, tx.now)
    await revocations.revoke_subject(user_id, tx)
    return before if after is before else tx.users.save(before, after)


async def enable_user(user_id: str, tx: Transaction) -> User:
    """Let the user act again."""
    before = await tx.users.get(user_id)
    return before if before.disabled_at is None else tx.users.save(before, rules.enable(before))
