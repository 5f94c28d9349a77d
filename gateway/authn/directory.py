"""What the gateway's own database says of callers: grants and revocations, read with the gateway's own use cases; and what it writes of them. Not here: what a token says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from chassis.caller import Caller, system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.persistence.mongo import MongoError
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from gateway.access.builtin_issuer import HOLDER_ISSUER
from gateway.access.cards import usecases as cards
from gateway.access.grants import usecases as grants
from gateway.access.revocations import usecases as revocations
from gateway.access.revocations.rules import RevocationKind
from gateway.problems import IssuerUnavailable

if TYPE_CHECKING:
    from gateway.access.identity import Identity
    from gateway.access.transaction import Transaction
    from gateway.authn.revocation_cache import RevocationCache
    from gateway.middleware.audited_reads import AuditedRead

TIMEOUT_SECONDS = 3.0


class CallerDirectory:
    """Asks the database through the engine."""

    def __init__(self, engine: TransactionManager[Any], revocation_cache: RevocationCache) -> None:
        self._engine, self.revocation_cache = engine, revocation_cache

    async def resolve_identity(self, issuer: str, external: str, chosen_grant: str) -> Identity:
        """The caller under the grant they act in; IssuerUnavailable while the database does not answer."""
        try:
            if issuer == HOLDER_ISSUER:
                return await self._runner()(partial(cards.resolve_holder, external))
            return await self._runner()(
                partial(grants.resolve_identity, issuer, external, chosen_grant)
            )
        except (MongoError, Busy) as error:
            raise IssuerUnavailable from error

    async def record_audited_read(self, caller: Identity, audited_read: AuditedRead) -> None:
        """Write down what a caller looks at; IssuerUnavailable while the database does not answer."""
        asks = Caller(
            subject=caller.subject,
            role=caller.role,
            claims=caller.claims,
            on_behalf_of=caller.on_behalf_of,
        )

        async def seen(tx: Transaction) -> None:
            facts = {
                "service": audited_read.service,
                "permission": audited_read.permission,
                "path": audited_read.path,
                "reason": audited_read.reason,
            }
            tx.note(
                "access.looked",
                caller.subject,
                grant=caller.grant_id,
                letter=caller.letter,
                **facts,
            )

        try:
            await Runner(
                self._engine,
                OperationContext(caller=asks, correlation_id=new_id(), what="look"),
                seconds=TIMEOUT_SECONDS,
            )(seen)
        except (MongoError, Busy) as error:
            raise IssuerUnavailable from error

    async def refresh_revocations(self) -> None:
        """Bring what is held in memory of revocations up to date; MongoError or Busy leaves it as it is."""
        found = await self._runner()(revocations.list_in_force)
        tokens = [
            revocation.target for revocation in found if revocation.kind is RevocationKind.TOKEN
        ]
        subjects = [
            (revocation.target, revocation.at.timestamp())
            for revocation in found
            if revocation.kind is RevocationKind.SUBJECT
        ]
        sessions = [
            revocation.target for revocation in found if revocation.kind is RevocationKind.SESSION
        ]
        self.revocation_cache.replace_all(tokens, subjects, sessions)

    def _runner(self) -> Runner[Any]:
        return Runner(
            self._engine,
            OperationContext(caller=system("gateway"), correlation_id=new_id()),
            seconds=TIMEOUT_SECONDS,
        )
