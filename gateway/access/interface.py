"""The functions of access that the proxy may call. Not here: routes, and rules of a noun.

The proxy also imports `identity`, `jwk`, `builtin_issuer` and `permissions`, but no noun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.access.cards import usecases as cards
from gateway.access.clients.daily_quota import QuotaCounter
from gateway.access.grants import usecases as grants
from gateway.access.identity import HOLDER_ISSUER
from gateway.access.revocations import usecases as revocations
from gateway.access.revocations.rules import RevocationKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.access.identity import Identity
    from gateway.access.transaction import Transaction

__all__ = [
    "AuditedRead",
    "QuotaCounter",
    "RevocationsInForce",
    "note_audited_read",
    "read_revocations",
    "resolve_identity",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRead:
    """A request of an audited caller, and the reason that the caller gives."""

    service: str
    permission: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsInForce:
    """All revocations in force. Tokens of a subject are revoked if issued up to the given time."""

    token_ids: frozenset[str]
    session_ids: frozenset[str]
    subjects: Mapping[str, datetime]


async def resolve_identity(
    issuer: str, external: str, chosen_grant: str, tx: Transaction
) -> Identity:
    """Return the caller whom this issuer names `external`, under their acting grant.

    Raises NoGrant, GrantChoiceNeeded, CardRefused.
    """
    if issuer == HOLDER_ISSUER:
        return await cards.resolve_holder(external, tx)
    return await grants.resolve_identity(issuer, external, chosen_grant, tx)


async def read_revocations(tx: Transaction) -> RevocationsInForce:
    """Return all revocations in force."""
    token_ids: set[str] = set()
    session_ids: set[str] = set()
    subjects: dict[str, datetime] = {}
    for revocation in await revocations.list_in_force(tx):
        match revocation.kind:
            case RevocationKind.TOKEN:
                token_ids.add(revocation.target)
            case RevocationKind.SESSION:
                session_ids.add(revocation.target)
            case RevocationKind.SUBJECT:
                subjects[revocation.target] = revocation.at
    return RevocationsInForce(
        token_ids=frozenset(token_ids), session_ids=frozenset(session_ids), subjects=subjects
    )


async def note_audited_read(caller: Identity, audited_read: AuditedRead, tx: Transaction) -> None:
    """Write an audit row for a request that is about to be forwarded."""
    tx.note(
        "access.looked",
        caller.subject,
        grant=caller.grant_id,
        letter=caller.letter,
        service=audited_read.service,
        permission=audited_read.permission,
        path=audited_read.path,
        reason=audited_read.reason,
    )
