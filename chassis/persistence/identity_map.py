"""The identity map of a transaction, and the undo log of its savepoints.

Not here: the buffered writes (unit_of_work).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

_MISSING: Any = object()


class UndoLog:
    """The former values of changed dictionary entries, so that a savepoint can restore them."""

    def __init__(self) -> None:
        self._former: list[tuple[dict[Any, Any], Any, Any]] = []

    @property
    def position(self) -> int:
        """Return how many changes are recorded, for `roll_back`."""
        return len(self._former)

    def record(self, mapping: dict[Any, Any], key: Hashable) -> None:
        """Record an entry before it is changed."""
        self._former.append((mapping, key, mapping.get(key, _MISSING)))

    def roll_back(self, position: int) -> None:
        """Undo all changes that were recorded after this position, the latest first."""
        while len(self._former) > position:
            mapping, key, former = self._former.pop()
            if former is _MISSING:
                del mapping[key]
            else:
                mapping[key] = former


class IdentityMap:
    """The aggregates of one transaction by collection and id; None = no such document."""

    def __init__(self, undo_log: UndoLog) -> None:
        self._aggregates: dict[tuple[str, str], Any] = {}
        self._undo_log = undo_log

    def contains(self, collection: str, id_: str) -> bool:
        """Return whether this transaction has read or written that document."""
        return (collection, id_) in self._aggregates

    def get(self, collection: str, id_: str) -> Any:
        """Return the aggregate as this transaction sees it; None if it does not exist."""
        return self._aggregates.get((collection, id_))

    def add(self, collection: str, id_: str, aggregate: Any) -> Any:
        """Add an aggregate that was read; return it, or the one that is in the map already."""
        return self._aggregates.setdefault((collection, id_), aggregate)

    def replace(self, collection: str, id_: str, aggregate: Any) -> None:
        """Store an aggregate that was written; a rollback restores the former one."""
        self._undo_log.record(self._aggregates, (collection, id_))
        self._aggregates[collection, id_] = aggregate

    def collection_of(self, aggregate: Any) -> str | None:
        """Return the collection of this very object; None if it is not in the map."""
        if aggregate is None:
            return None
        for (collection, _), kept in self._aggregates.items():
            if kept is aggregate:
                return collection
        return None
