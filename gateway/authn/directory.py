"""What the gateway's own database says of callers: grants and revocations, read with the gateway's own use cases; and what it writes of them. Not here: what a token says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from chassis.caller import Caller, system
from chassis.errors import Busy
from chassis.ids import new_id
from chassis.persistence.mongo import MongoError
from chassis.persistence.transactions import Engine, Runner
from chassis.persistence.unit_of_work import Cause
from gateway.access.builtin_issuer import HOLDERS
from gateway.access.cards import usecases as cards
from gateway.access.grants import usecases as grants
from gateway.access.revocations import usecases as revocations
from gateway.access.revocations.rules import Kind
from gateway.problems import IdentityAway

if TYPE_CHECKING:
    from gateway.access.identity import Identity
    from gateway.access.transaction import Transaction
    from gateway.authn.revocation_cache import Revocations
    from gateway.middleware.audited_reads import Look

SECONDS = 3.0


class Book:
    """Asks the database through the engine."""

    def __init__(self, engine: Engine[Any], withdrawn: Revocations) -> None:
        self._engine, self.withdrawn = engine, withdrawn

    async def identity_of(self, issuer: str, external: str, chosen_grant: str) -> Identity:
        """The caller under the grant they act in; IdentityAway while the database does not answer."""
        try:
            if issuer == HOLDERS:
                return await self._runner()(partial(cards.holder_of, external))
            return await self._runner()(partial(grants.identity_of, issuer, external, chosen_grant))
        except (MongoError, Busy) as error:
            raise IdentityAway from error

    async def witness(self, caller: Identity, look: Look) -> None:
        """Write down what a caller looks at; IdentityAway while the database does not answer."""
        asks = Caller(
            subject=caller.subject,
            role=caller.role,
            claims=caller.claims,
            on_behalf_of=caller.on_behalf_of,
        )

        async def seen(tx: Transaction) -> None:
            facts = {
                "service": look.service,
                "permission": look.permission,
                "path": look.path,
                "reason": look.reason,
            }
            tx.note(
                "access.looked", caller.subject, grant=caller.grant, letter=caller.letter, **facts
            )

        try:
            await Runner(
                self._engine,
                Cause(caller=asks, correlation_id=new_id(), what="look"),
                seconds=SECONDS,
            )(seen)
        except (MongoError, Busy) as error:
            raise IdentityAway from error

    async def refresh(self) -> None:
        """Bring what is held in memory of revocations up to date; MongoError or Busy leaves it as it is."""
        found = await self._runner()(revocations.in_force)
        tokens = [revocation.target for revocation in found if revocation.kind is Kind.TOKEN]
        subjects = [
            (revocation.target, revocation.at.timestamp())
            for revocation in found
            if revocation.kind is Kind.SUBJECT
        ]
        sessions = [revocation.target for revocation in found if revocation.kind is Kind.SESSION]
        self.withdrawn.put(tokens, subjects, sessions)

    def _runner(self) -> Runner[Any]:
        return Runner(
            self._engine, Cause(caller=system("gateway"), correlation_id=new_id()), seconds=SECONDS
        )
