"""Use cases of grants, and the identity that they give a caller. Not here: rules and routes."""

from collections.abc import Sequence
from datetime import datetime

from chassis.caller import EVERYTHING, Caller
from chassis.ids import named_id, new_id
from chassis.persistence.store import Page
from gateway.access.clients import usecases as clients
from gateway.access.grants import rules
from gateway.access.grants.rules import (
    MANPOWER_GRANTOR,
    ROLES_BY_GRANTOR,
    UNSCOPED_ROLES,
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
    return tx.grants.add(
        await _build_grant(new_id(), user_id, terms, _administrator_grantor(tx.caller), tx)
    )


async def put_grant(reference: str, user_id: str, terms: GrantTerms, tx: Transaction) -> Grant:
    """Let manpower's grant of this reference have these terms; a repeat changes nothing."""
    wanted = await _build_grant(_manpower_grant_id(reference), user_id, terms, MANPOWER_GRANTOR, tx)
    known = await tx.grants.seek(wanted.id)
    stored = rules.reconcile(known, wanted)
    if stored is None or known is None:
        return tx.grants.add(wanted) if known is None else known
    await revocations.revoke_subject(user_id, tx)
    return tx.grants.save(known, stored)


async def withdraw_grant(reference: str, tx: Transaction) -> None:
    """End manpower's grant of this reference; a repeat changes nothing."""
    known = await tx.grants.get(_manpower_grant_id(reference))
    if known.ended_at is None:
        await _end_grant(known, tx)


async def end_grant(grant_id: str, tx: Transaction) -> Grant:
    """End a grant of the administrator's place, given by anybody."""
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
    """Return the caller of a token, under the grant in which they act.

    Our own users are named by our id. Raises NoGrant, GrantChoiceNeeded.
    """
    user = (
        await tx.users.seek(external)
        if issuer == BUILTIN_ISSUER
        else await tx.users.find_by_external(issuer, external)
    )
    if user is None or user.disabled_at is not None:
        raise NoGrant
    grant = rules.choose_acting_grant(
        await read_effective_grants(await _read_usable_grants(user, tx), tx.now, tx),
        chosen_grant,
        tx.now,
    )
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
    """Return a user's grants as they hold at that moment.

    Grants on behalf of an official hold only while that official's do.
    """
    officials = {
        grant.on_behalf_of: await _read_usable_grants(
            await tx.users.seek(grant.on_behalf_of, scoped=False), tx
        )
        for grant in grants
        if grant.kind is GrantKind.PLH
    }
    return rules.limit_to_officials(grants, officials, moment)


async def _read_usable_grants(user: User | None, tx: Transaction) -> list[Grant]:
    """Return the grants of a user who is not disabled.

    Grants of places that disabled the user are left out.
    """
    return (
        []
        if user is None or user.disabled_at is not None
        else [
            grant
            for grant in await tx.grants.find_by_user(user.id)
            if grant.home not in user.disabled_in
        ]
    )


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
        home=_choose_home(user, terms, tx.caller),
        grantor=grantor,
        held_grants=held,
        official_grants=officials,
    )


async def _end_grant(before: Grant, tx: Transaction) -> Grant:
    """End the grant, and revoke every token of the user and their deputies.

    A token may be remembered under the grant.
    """
    ended = tx.grants.save(before, rules.end(before, now=tx.now))
    resting = [
        one for one in await tx.grants.find_by_user(ended.user_id) if one.kind is GrantKind.SECOND
    ]  # on what they are at the Kanwil, wherever they are the second
    for user_id, home in {
        (one.user_id, one.home)
        for one in (ended, *resting, *await tx.grants.find_by_official(ended.user_id))
    }:
        await users.revoke_trust(await tx.users.get(user_id, scoped=False), (home,), tx)
    return ended


def _choose_home(user: User, terms: GrantTerms, caller: Caller) -> str:
    """Return the place that looks after a grant.

    First one of the user's homes that the grantor looks after, and that the grant is for; a grant
    of manpower may have none.
    """
    places = users.administered_homes(user, caller)
    if caller.system and "" in places:
        return ""
    return next((home for home in places if home in terms.claims.get("facility", ())), places[0])


def _manpower_grant_id(reference: str) -> str:
    return named_id("grant", "manpower", reference)


def _administrator_grantor(caller: Caller) -> Grantor:
    everywhere = EVERYTHING in caller.claim("facility")
    return Grantor(
        name=caller.subject,
        on_behalf_of=caller.on_behalf_of,
        roles=ROLES_BY_GRANTOR["administrator"] - (frozenset() if everywhere else UNSCOPED_ROLES),
        claims=caller.claims,
    )
