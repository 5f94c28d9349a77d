"""Use cases of credentials: propose, approve, return, propose to detach.

Not here: the query for the user at the gateway (approval_process).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.manpower.consumers.rules import Consumer
from services.manpower.credentials import rules
from services.manpower.credentials.rules import Credential, CredentialUser
from services.manpower.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialTerms:
    """What a person proposes: the id of a user or system, and its last moment."""

    credential_ref: str
    valid_until: datetime


async def get_own_consumer(consumer_id: str, tx: Transaction) -> Consumer:
    """Return a consumer that the caller may change. Raises ConsumerUnknown."""
    return await tx.consumers.get_own(consumer_id)


async def get_own_credential(credential_id: str, version: int, tx: Transaction) -> Credential:
    """Return a credential that the caller may change. Raises CredentialUnknown, VersionDiffers."""
    return await tx.credentials.get_own(credential_id, if_match=version)


async def propose_credential(
    consumer_id: str, terms: CredentialTerms, user: CredentialUser | None, tx: Transaction
) -> Credential:
    """Add a credential that waits for a second person.

    Raises ConsumerUnknown, CredentialUserUnknown, CredentialTaken, and what `rules.propose` raises.
    """
    consumer = await tx.consumers.get_own(consumer_id)
    tx.consumers.hold(consumer)
    known_user = rules.require_user(user)
    equals = await tx.credentials.list_equal(consumer_id, known_user.user_id)
    rules.require_not_taken(equals)
    proposed = rules.propose(
        new_id(),
        terms.credential_ref,
        known_user,
        consumer,
        terms.valid_until,
        tx.caller.actor,
        tx.now,
    )
    return tx.credentials.add(proposed)


async def list_credentials(
    consumer_id: str, cursor: str | None, limit: int, tx: Transaction
) -> Page[Credential]:
    """Return one page of the credentials of a consumer. Raises ConsumerUnknown."""
    consumer = await tx.consumers.get(consumer_id)
    return await tx.credentials.list_page(consumer.id, cursor, limit)


async def approve_credential(
    credential_id: str, version: int, user: CredentialUser | None, tx: Transaction
) -> Credential:
    """Agree as the second person to attach or to detach a credential.

    Raises CredentialUnknown, VersionDiffers, CredentialUserUnknown, and what `rules.approve`
    raises.
    """
    before = await tx.credentials.get_own(credential_id, if_match=version)
    consumer = await tx.consumers.get(before.consumer_id)
    tx.consumers.hold(consumer)
    after = rules.approve(before, rules.require_user(user), consumer, tx.caller, tx.now)
    return tx.credentials.save(before, after)


async def propose_detachment(
    credential_id: str, reason: str, version: int, tx: Transaction
) -> Credential:
    """Propose to detach a credential. Raises CredentialUnknown, CredentialMoveRefused."""
    before = await tx.credentials.get_own(credential_id, if_match=version)
    after = rules.propose_detachment(before, tx.caller.actor, tx.now, reason)
    return tx.credentials.save(before, after)


async def return_proposal(
    credential_id: str, reason: str, version: int, tx: Transaction
) -> Credential:
    """Return a proposal. Raises CredentialUnknown, VersionDiffers, CredentialMoveRefused."""
    before = await tx.credentials.get_own(credential_id, if_match=version)
    after = rules.return_proposal(before, tx.caller.actor, tx.now, reason)
    return tx.credentials.save(before, after)
