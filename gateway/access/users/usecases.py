"""Use cases of users. Not here: rules and routes."""

from chassis.caller import Caller
from chassis.persistence.store import Page
from gateway.access.revocations import usecases as revocations
from gateway.access.transaction import Transaction
from gateway.access.users import rules
from gateway.access.users.rules import User, UserUnknown


async def register_user(issuer: str, external: str, home: str, tx: Transaction) -> User:
    """Return the user of this name, registered now if new, looked after by this place."""
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
    """Register a user of another issuer, as their place sees them."""
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
    """Disable the user for the caller's places, with the tokens that they hold."""
    before = await tx.users.get(user_id)
    after = rules.disable(before, administered_homes(before, tx.caller), tx.now)
    await revoke_trust(before, administered_homes(before, tx.caller), tx)
    for deputy in await tx.grants.find_by_official(
        before.id
    ):  # who acts for somebody acts no longer than they
        await revoke_trust(await tx.users.get(deputy.user_id, scoped=False), (deputy.home,), tx)
    return _restrict_view(before if after == before else tx.users.save(before, after), tx)


async def enable_user(user_id: str, tx: Transaction) -> User:
    """Enable the user for the caller's places."""
    before = await tx.users.get(user_id)
    after = rules.enable(before, administered_homes(before, tx.caller))
    return _restrict_view(before if after == before else tx.users.save(before, after), tx)


async def revoke_trust(user: User, homes: tuple[str, ...], tx: Transaction) -> None:
    """Revoke the user's tokens for these of their places.

    Other places revoke theirs themselves.
    """
    if set(user.homes) <= set(homes):
        await revocations.revoke_subject(user.id, tx)
        return
    for home in homes:
        await revocations.revoke_subject(home_subject(user.id, home), tx)


def home_subject(user_id: str, home: str) -> str:
    """Return the subject to revoke where a user loses one of several places."""
    return f"{user_id}@{home}"


def administered_homes(user: User, caller: Caller) -> tuple[str, ...]:
    """Return those of the user's places that the caller looks after."""
    return tuple(home for home in user.homes if caller.sees("facility", home))


def _restrict_view(user: User, tx: Transaction) -> User:
    return rules.restrict_view(user, administered_homes(user, tx.caller))
