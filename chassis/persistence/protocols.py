"""Protocols: what unit of work and stores require of aggregates, events and each other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

from chassis.caller import Caller
from chassis.persistence.cursors import CursorSigner
from chassis.persistence.identity_map import IdentityMap
from chassis.persistence.mongo import Mongo, Session


class Aggregate(Protocol):
    """A frozen dataclass with an id and a version (0 = never stored)."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


class Event(Protocol):
    """What the unit of work needs of an event; `messaging.events.Event` is one."""

    type: ClassVar[str]

    @property
    def key(self) -> str: ...
    @property
    def facility(self) -> str: ...
    def model_dump_json(self, *, exclude_none: bool = False) -> str: ...


class StoreTransaction(Protocol):
    """The members of a transaction that a store uses."""

    db: Mongo
    session: Session
    now: datetime
    added_ids: list[str]
    identity_map: IdentityMap
    cursors: CursorSigner

    @property
    def caller(self) -> Caller: ...
    def is_dirty(self, collection: str) -> bool: ...
    async def flush_collection(self, collection: str) -> None: ...
    def write(
        self,
        store: Any,
        aggregate: Any,
        before: Any,
        events: Sequence[Event],
        *,
        gone: bool = False,
    ) -> None: ...
    def hold(self, collection: str, id_: str) -> None: ...
