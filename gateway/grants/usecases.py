"""What happens to grants, and what they say of a caller."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from chassis.ids import new_id
from gateway.grants import rules
from gateway.grants.rules import Grant, NoGrant
from gateway.identity.caller import Identity
from gateway.revocations import usecases as revocations
from gateway.transaction import Transaction


async def give_grant(user_id: str, role: str, claims: Mapping[str, Sequence[str]], valid_from: datetime, valid_until: datetime, by: str, tx: Transaction) -> Grant:
    """Give a user a role with row scopes for a time."""
    user = await tx.users.get(user_id)
    tx.users.hold(user)
    return tx.grants.add(rules.give(id=new_id(), user_id=user.id, role=role, claims=claims, valid_from=valid_from, valid_until=valid_until, by=by))


async def end_grant(grant_id: str, by: str, tx: Transaction) -> Grant:
    """End a grant, and with it the trust in every token that the user holds now: it may be remembered under the grant."""
    before = await tx.grants.get(grant_id)
    ended = tx.grants.save(before, rules.end(before, by=by, now=tx.now))
    await revocations.revoke_subject(ended.user_id, tx)
    return ended


async def identity_of(issuer: str, external: str, chosen_grant: str, tx: Transaction) -> Identity:
    """The caller whom the issuer vouches for, under the grant they act in; NoGrant or GrantChoiceNeeded where there is none or several."""
    user = await tx.users.called(issuer, external)
    if user is None:
        raise NoGrant
    grant = rules.acting(await tx.grants.of_user(user.id), chosen_grant, tx.now)
    return Identity(
        subject=user.id,
        role=grant.role,
        claims={name: frozenset(values) for name, values in grant.claims.items()},
        expires_at=grant.valid_until.timestamp(),
        grant=grant.id,
    )
