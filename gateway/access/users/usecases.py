"""Use cases of users. Not here: rules and routes."""

from chassis.caller import Caller
from chassis.persistence.store import Page
from gateway.access.revocations import usecases as revocations
from gateway.access.transaction import Transaction
from gateway.access.users import rules
from gateway.access.users.rules import User, UserUnknown


async def register_user(issuer: str, external: str, home: str, tx: Transaction) -> User:
    """Return the user of this name with this place as a home; register them if new."""
    known = await tx.users.find_by_external(issuer, external)
    if known is None:
        return tx.users.add(
            User(
                id=rules.derive_user_id(issuer, external),
                issuer=issuer,
                external=external,
                home=home,
            )
        )
    if not tx.caller.sees("facility", home):
        raise UserUnknown
    after = rules.add_home(known, home)
    return known if after is known else tx.users.save(known, after)


async def register_external_user(issuer: str, external: str, home: str, tx: Transaction) -> User:
    """Register a user of another issuer; return the user as the caller's places see them."""
    rules.check_issuer(issuer)
    return _restrict_view(await register_user(issuer, external, home, tx), tx)


async def list_users(cursor: str | None, limit: int, tx: Transaction) -> Page[User]:
    """Return a page of users."""
    page = await tx.users.list_page(cursor, limit)
    return Page([_restrict_view(user, tx) for user in page.items], page.next_cursor)


async def show_user(user_id: str, tx: Transaction) -> User:
    """Return a user."""
    return _restrict_view(await tx.users.get(user_id), tx)


async def disable_user(user_id: str, tx: Transaction) -> User:
    """Disable the user for the caller's places and revoke their tokens and their deputies'."""
    before = await tx.users.get(user_id)
    after = rules.disable(before, administered_homes(before, tx.caller), tx.now)
    await revoke_trust(before, administered_homes(before, tx.caller), tx)
    # A deputy acts no longer than the official.
    for grant in await tx.grants.find_by_official(before.id):
        await revoke_trust(await tx.users.get(grant.user_id, scoped=False), (grant.home,), tx)
    return _restrict_view(before if after == before else tx.users.save(before, after), tx)


async def enable_user(user_id: str, tx: Transaction) -> User:
    """Enable the user for the caller's places."""
    before = await tx.users.get(user_id)
    after = rules.enable(before, administered_homes(before, tx.caller))
    return _restrict_view(before if after == before else tx.users.save(before, after), tx)


async def revoke_trust(user: User, homes: tuple[str, ...], tx: Transaction) -> None:
    """Revoke the user's tokens for these of their homes; for all homes revoke the user."""
    if set(user.homes) <= set(homes):
        await revocations.revoke_subject(user.id, tx)
        return
    for home in homes:
        await revocations.revoke_subject(home_subject(user.id, home), tx)


def home_subject(user_id: str, home: str) -> str:
    """Return the subject that is revoked when a user loses one of several homes."""
    return f"{user_id}@{home}"


def administered_homes(user: User, caller: Caller) -> tuple[str, ...]:
    """Return those of the user's homes that the caller administers."""
    return tuple(home for home in user.homes if caller.sees("facility", home))


def _restrict_view(user: User, tx: Transaction) -> User:
    return rules.restrict_view(user, administered_homes(user, tx.caller))
