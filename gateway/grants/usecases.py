"""What happens to grants, and what they say of a caller."""

from collections.abc import Sequence
from datetime import datetime

from chassis.auth import EVERYTHING, Caller
from chassis.ids import named_id, new_id
from chassis.unit_of_work import Page
from gateway.clients import usecases as clients
from gateway.grants import rules
from gateway.grants.rules import EVERYWHERE, GIVEN_BY, MANPOWER, Giver, Grant, Kind, NoGrant, Terms
from gateway.identity.caller import Identity
from gateway.identity.own import OWN
from gateway.revocations import usecases as revocations
from gateway.transaction import Transaction


async def give_grant(user_id: str, terms: Terms, tx: Transaction) -> Grant:
    """Give a user of the administrator's place a role with row scopes for a time."""
    return tx.grants.add(await _granted(new_id(), user_id, terms, _administrator(tx.caller), tx))


async def put_grant(reference: str, user_id: str, terms: Terms, tx: Transaction) -> Grant:
    """Let manpower's grant of this reference say this; told again, nothing changes."""
    wanted = await _granted(_of_manpower(reference), user_id, terms, MANPOWER, tx)
    known = await tx.grants.seek(wanted.id)
    stored = rules.put(known, wanted)
    if stored is None or known is None:
        return tx.grants.add(wanted) if known is None else known
    await revocations.revoke_subject(user_id, tx)
    return tx.grants.save(known, stored)


async def withdraw_grant(reference: str, tx: Transaction) -> None:
    """Let manpower's grant of this reference hold no longer; told again, nothing changes."""
    known = await tx.grants.get(_of_manpower(reference))
    if known.ended_at is None:
        await _ended(known, tx)


async def end_grant(grant_id: str, tx: Transaction) -> Grant:
    """End a grant of the administrator's place, whoever gave it."""
    return await _ended(await tx.grants.get(grant_id), tx)


async def show_grant(grant_id: str, tx: Transaction) -> Grant:
    """A grant."""
    return await tx.grants.get(grant_id)


async def list_grants(user_id: str, cursor: str | None, limit: int, tx: Transaction) -> Page[Grant]:
    """A page of grants."""
    return await tx.grants.listed(user_id, cursor, limit)


async def identity_of(issuer: str, external: str, chosen_grant: str, tx: Transaction) -> Identity:
    """The caller whom the issuer vouches for (our own one by our id), under the grant they act in; NoGrant or GrantChoiceNeeded where there is none or several."""
    user = await tx.users.seek(external) if issuer == OWN else await tx.users.called(issuer, external)
    if user is None or user.disabled_at is not None:
        raise NoGrant
    grant = rules.acting(await lasting_of(await tx.grants.of_user(user.id), tx.now, tx), chosen_grant, tx.now)
    return Identity(
        subject=user.id,
        role=grant.role,
        claims={name: frozenset(values) for name, values in grant.claims.items()},
        expires_at=grant.valid_until.timestamp(),
        grant=grant.id,
        on_behalf_of=grant.on_behalf_of,
        letter=grant.letter,
        forbidden=grant.forbidden,
        quota=await clients.quota_of(user, tx),
    )


async def lasting_of(held: Sequence[Grant], moment: datetime, tx: Transaction) -> list[Grant]:
    """A user's grants as they hold at that moment, those who act for somebody among them only while that official does."""
    officials = {grant.on_behalf_of: await tx.grants.of_user(grant.on_behalf_of) for grant in held if grant.kind is Kind.PLH}
    return rules.lasting(held, officials, moment)


async def _granted(id_: str, user_id: str, terms: Terms, by: Giver, tx: Transaction) -> Grant:
    user = await tx.users.get(user_id)
    tx.users.hold(user)
    held = await tx.grants.of_user(user.id)
    officials = await tx.grants.of_user(terms.on_behalf_of) if terms.on_behalf_of else []
    for grant in (*held, *officials):
        tx.grants.hold(grant)
    return rules.give(terms, id=id_, user_id=user.id, home=user.home, by=by, held=held, officials=officials)


async def _ended(before: Grant, tx: Transaction) -> Grant:
    """The grant ended, and with it the trust in every token that the user and their deputies hold now: it may be remembered under the grant."""
    ended = tx.grants.save(before, rules.end(before, now=tx.now))
    deputies = await tx.grants.of_deputies(ended.user_id)
    for user_id in {ended.user_id, *(deputy.user_id for deputy in deputies)}:
        await revocations.revoke_subject(user_id, tx)
    return ended


def _of_manpower(reference: str) -> str:
    return named_id("grant", "manpower", reference)


def _administrator(caller: Caller) -> Giver:
    everywhere = EVERYTHING in caller.claim("facility")
    return Giver(name=caller.subject, roles=GIVEN_BY["administrator"] - (frozenset() if everywhere else EVERYWHERE), claims=caller.claims)
