"""A service that consumes its own events, under its subjects' keys or others.

Not here: who makes events, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from chassis.messaging.events import Event, Inbound, Reference, SubjectNotKnownYet
from chassis.persistence.store import Store
from chassis.persistence.unit_of_work import StoreOf
from tests.chassis.sample_service import Jar, JarFull, Note
from tests.chassis.sample_service import Transaction as ShopTransaction

BROKEN = "broken"  # the key of the engine's parts that holds the event keys that fail now


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The events of one key that took effect, in the order in which they did."""

    id: str
    seqs: tuple[int, ...] = ()
    version: int = 0


class Traces(Store[Trace]):
    kind = Trace
    collection = "traces"
    scope: ClassVar = {"public": ""}
    audited = False


class Transaction(ShopTransaction):
    broken: set[str]
    traces = StoreOf(Traces)


class Admitted(Event, type="shop.admitted.v1", key="subject"):
    """A subject was admitted."""

    subject: str


class Noted(Event, type="shop.told.v1", key="under"):
    """Something about a subject was noted."""

    under: str
    subject: str


class Merged(Event, type="shop.merged.v1", key="under"):
    """Two subjects were merged; published under both keys."""

    under: str
    subject: str
    into: str


class AdmittedHeard(Inbound, type="shop.admitted.v1"):
    subject: Reference


class NotedCopy(Inbound, type="shop.told.v1"):
    subject: Reference


class MergedHeard(Inbound, type="shop.merged.v1"):
    subject: str
    into: str


class Fact(NamedTuple):
    """An event as the model remembers it."""

    key: str
    kind: str
    subject: str
    into: str = ""

    @property
    def event(self) -> Event:
        """Return the event to publish."""
        if self.kind == Noted.type:
            return Noted(under=self.key, subject=self.subject)
        if self.kind == Merged.type:
            return Merged(under=self.key, subject=self.subject, into=self.into)
        return Admitted(subject=self.subject)


async def commit(
    facts: Sequence[Fact], tx: Transaction, *, admitting: str = "", refused: bool = False
) -> None:
    """Commit these events; each key is an aggregate of its own.

    A refused command fails after everything is buffered.
    """
    for key in dict.fromkeys(fact.key for fact in facts):
        events = [fact.event for fact in facts if fact.key == key]
        if (jar := await tx.jars.seek(key)) is None:
            tx.jars.add(Jar(id=key, owner_ref=key, room="north"), events)
        else:
            tx.jars.save(jar, replace(jar, marbles=jar.marbles + 1), events)
    if admitting:
        await admit(await tx.resolve(admitting), tx)
    if refused:
        await tx.flush()
        raise JarFull


async def admit(subject: str, tx: Transaction) -> None:
    """Store this subject as known."""
    if await tx.notes.seek(subject) is None:
        tx.notes.add(Note(id=subject, owner_ref=subject))


async def on_admitted(event: AdmittedHeard, tx: Transaction) -> None:
    await admit(event.subject, tx)
    await _trace(event, tx)


async def on_noted(event: NotedCopy, tx: Transaction) -> None:
    note = await tx.notes.seek(event.subject)
    if note is None:
        raise SubjectNotKnownYet(event.subject)
    tx.notes.save(
        note, replace(note, texts=(*note.texts, f"{event.meta.key}/{event.meta.sequence}"))
    )
    await _trace(event, tx)
    if event.meta.key in tx.broken:
        raise JarFull


async def on_merged(event: MergedHeard, tx: Transaction) -> None:
    await _trace(event, tx)
    if await tx.resolve(event.subject) != event.subject:
        return
    old = await tx.notes.seek(event.subject)
    into = await tx.alias(event.subject, event.into)
    if old is None:
        return
    new = await tx.notes.seek(into)
    if new is None:
        tx.notes.add(replace(old, id=into, owner_ref=into))
    else:
        tx.notes.save(new, replace(new, texts=(*new.texts, *old.texts)))
    tx.notes.remove(old)


async def _trace(event: Inbound, tx: Transaction) -> None:
    trace = await tx.traces.seek(event.meta.key)
    if trace is None:
        tx.traces.add(Trace(id=event.meta.key, seqs=(event.meta.sequence,)))
    else:
        tx.traces.save(trace, replace(trace, seqs=(*trace.seqs, event.meta.sequence)))


HANDLERS = {
    "shop.events": {AdmittedHeard: on_admitted, NotedCopy: on_noted, MergedHeard: on_merged}
}
