"""Callers in the gateway's own database. Not here: what a token contains (tokens)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from chassis.caller import Caller, system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.persistence.mongo import MongoError
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from gateway.access import interface
from gateway.problems import IssuerUnavailable

if TYPE_CHECKING:
    from gateway.access.identity import Identity
    from gateway.access.interface import AuditedRead
    from gateway.authn.revocation_cache import RevocationCache

TIMEOUT_SECONDS = 3.0

Result = TypeVar("Result")


class CallerDirectory:
    """Resolves callers and records their audited reads.

    Each transaction takes at most TIMEOUT_SECONDS.
    """

    def __init__(
        self, transactions: TransactionManager[Any], revocation_cache: RevocationCache
    ) -> None:
        self._transactions = transactions
        self.revocation_cache = revocation_cache

    async def resolve_identity(self, issuer: str, external: str, chosen_grant: str) -> Identity:
        """Return the caller under their acting grant. Raises IssuerUnavailable."""
        command = partial(interface.resolve_identity, issuer, external, chosen_grant)
        context = OperationContext(caller=system("gateway"), correlation_id=new_id())
        return await self._run(command, context)

    async def record_audited_read(self, caller: Identity, audited_read: AuditedRead) -> None:
        """Record a request of this caller before it is forwarded. Raises IssuerUnavailable."""
        actor = Caller(
            subject=caller.subject,
            role=caller.role,
            claims=caller.claims,
            on_behalf_of=caller.on_behalf_of,
        )
        command = partial(interface.note_audited_read, caller, audited_read)
        context = OperationContext(caller=actor, correlation_id=new_id(), what="look")
        await self._run(command, context)

    async def refresh_revocations(self) -> None:
        """Load all revocations into the cache.

        Raises MongoError and Busy; both leave the cache unchanged.
        """
        context = OperationContext(caller=system("gateway"), correlation_id=new_id())
        in_force = await self._runner(context)(interface.read_revocations)
        subjects = [(subject, at.timestamp()) for subject, at in in_force.subjects.items()]
        self.revocation_cache.replace_all(in_force.token_ids, subjects, in_force.session_ids)

    async def _run(
        self, command: Callable[[Any], Awaitable[Result]], context: OperationContext
    ) -> Result:
        try:
            return await self._runner(context)(command)
        except (MongoError, Busy) as error:
            raise IssuerUnavailable from error

    def _runner(self, context: OperationContext) -> Runner[Any]:
        return Runner(self._transactions, context, seconds=TIMEOUT_SECONDS)
