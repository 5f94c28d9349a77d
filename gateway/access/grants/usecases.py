"""Use cases of grants, and the identity of a caller by grant. Not here: rules and routes."""

from collections.abc import Sequence
from datetime import datetime

from chassis.caller import EVERYTHING, Caller
from chassis.ids import named_id, new_id
from chassis.persistence.store import Page
from gateway.access.clients import usecases as clients
from gateway.access.grants import acting, rules
from gateway.access.grants.rules import (
    MANPOWER_GRANTOR,
    ROLES_BY_GRANTOR,
    ROLES_FROM_ABOVE,
    Grant,
    GrantKind,
    Grantor,
    GrantTerms,
    NoGrant,
)
from gateway.access.identity import BUILTIN_ISSUER, Identity
from gateway.access.revocations import usecases as revocations
from gateway.access.transaction import Transaction
from gateway.access.users import usecases as users
from gateway.access.users.rules import User


async def give_grant(user_id: str, terms: GrantTerms, tx: Transaction) -> Grant:
    """Give a user of the administrator's place a role with row scopes for a period."""
    grantor = _administrator_grantor(tx.caller)
    return tx.grants.add(await _build_grant(new_id(), user_id, terms, grantor, tx))


async def put_grant(reference: str, user_id: str, terms: GrantTerms, tx: Transaction) -> Grant:
    """Create or update manpower's grant of this reference; a repeat changes nothing.

    An update revokes the user's tokens, which may be cached under the former terms.
    """
    grant_id = _manpower_grant_id(reference)
    requested = await _build_grant(grant_id, user_id, terms, MANPOWER_GRANTOR, tx)
    stored = await tx.grants.seek(requested.id)
    changed = rules.reconcile(stored, requested)
    if stored is None:
        return tx.grants.add(requested)
    if changed is None:
        return stored
    await revocations.revoke_subject(user_id, tx)
    return tx.grants.save(stored, changed)


async def withdraw_grant(reference: str, tx: Transaction) -> None:
    """End manpower's grant of this reference; a repeat changes nothing."""
    known = await tx.grants.get(_manpower_grant_id(reference))
    if known.ended_at is None:
        await _end_grant(known, tx)


async def end_grant(grant_id: str, tx: Transaction) -> Grant:
    """End a grant of the administrator's place, no matter who gave it."""
    return await _end_grant(await tx.grants.get(grant_id), tx)


async def show_grant(grant_id: str, tx: Transaction) -> Grant:
    """Return a grant."""
    return await tx.grants.get(grant_id)


async def list_grants(user_id: str, cursor: str | None, limit: int, tx: Transaction) -> Page[Grant]:
    """Return a page of grants."""
    return await tx.grants.list_page(user_id, cursor, limit)


async def resolve_identity(
    issuer: str, external: str, chosen_grant: str, tx: Transaction
) -> Identity:
    """Return the caller of a token, under their acting grant.

    For the built-in issuer `external` is our user id. Raises NoGrant, GrantChoiceNeeded.
    """
    if issuer == BUILTIN_ISSUER:
        user = await tx.users.seek(external)
    else:
        user = await tx.users.find_by_external(issuer, external)
    if user is None or user.disabled_at is not None:
        raise NoGrant
    own_grants = await _read_usable_grants(user, tx)
    effective_grants = await read_effective_grants(own_grants, tx.now, tx)
    grant = acting.choose_acting_grant(effective_grants, chosen_grant, tx.now)
    return Identity(
        subject=user.id,
        role=grant.role,
        claims={name: frozenset(values) for name, values in grant.claims.items()},
        expires_at=grant.valid_until.timestamp(),
        grant_id=grant.id,
        on_behalf_of=grant.on_behalf_of,
        letter=grant.letter,
        home_subject=users.home_subject(user.id, grant.home),
        forbidden_permissions=grant.forbidden_permissions,
        calls_per_day=await clients.get_quota(user, tx),
    )


async def read_effective_grants(
    grants: Sequence[Grant], moment: datetime, tx: Transaction
) -> list[Grant]:
    """Return those of a user's grants that remain usable at that moment (limit_to_officials)."""
    officials = {
        grant.on_behalf_of: await _read_usable_grants(
            await tx.users.seek(grant.on_behalf_of, scoped=False), tx
        )
        for grant in grants
        if grant.kind is GrantKind.PLH
    }
    return acting.limit_to_officials(grants, officials, moment)


async def _read_usable_grants(user: User | None, tx: Transaction) -> list[Grant]:
    """Return the grants of a user, except those of homes that disabled the user.

    A disabled user has none.
    """
    if user is None or user.disabled_at is not None:
        return []
    grants = await tx.grants.find_by_user(user.id)
    return [grant for grant in grants if grant.home not in user.disabled_in]


async def _build_grant(
    id_: str, user_id: str, terms: GrantTerms, grantor: Grantor, tx: Transaction
) -> Grant:
    user = await tx.users.get(user_id)
    tx.users.hold(user)
    held = await tx.grants.find_by_user(user.id)
    officials = await tx.grants.find_by_user(terms.on_behalf_of) if terms.on_behalf_of else []
    for grant in (*held, *officials):
        tx.grants.hold(grant)
    return rules.give(
        terms,
        id=id_,
        user_id=user.id,
        homes=user.homes,
        home=_choose_home(user, terms, tx.caller),
        grantor=grantor,
        held_grants=held,
        official_grants=officials,
    )


async def _end_grant(before: Grant, tx: Transaction) -> Grant:
    """End the grant and revoke the tokens that may be cached under it or depend on it.

    The grants of deputies depend on it, and so do the user's own grants as a second person, which
    need a grant of the Kanwil.
    """
    ended = tx.grants.save(before, rules.end(before, now=tx.now))
    own_grants = await tx.grants.find_by_user(ended.user_id)
    as_second_person = [grant for grant in own_grants if grant.kind is GrantKind.SECOND]
    of_deputies = await tx.grants.find_by_official(ended.user_id)
    affected = (ended, *as_second_person, *of_deputies)
    for user_id, home in {(grant.user_id, grant.home) for grant in affected}:
        await users.revoke_trust(await tx.users.get(user_id, scoped=False), (home,), tx)
    return ended


def _choose_home(user: User, terms: GrantTerms, caller: Caller) -> str:
    """Return the home whose administrators manage the grant.

    It is one of the user's homes that the grantor administers: the first that the grant's claim
    `facility` names, else the first of all. A grant of manpower may have none ("").
    """
    homes = users.administered_homes(user, caller)
    if caller.system and "" in homes:
        return ""
    facilities = terms.claims.get("facility", ())
    return next((home for home in homes if home in facilities), homes[0])


def _manpower_grant_id(reference: str) -> str:
    return named_id("grant", "manpower", reference)


def _administrator_grantor(caller: Caller) -> Grantor:
    roles = ROLES_BY_GRANTOR["administrator"]
    is_of_all_places = EVERYTHING in caller.claim("facility")
    if not is_of_all_places:
        roles -= ROLES_FROM_ABOVE
    return Grantor(
        name=caller.subject,
        on_behalf_of=caller.on_behalf_of,
        roles=roles,
        claims=caller.claims,
        is_above=is_of_all_places,
    )
