"""The state machine of the model: its rules and its invariants. Not here: how it is run."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from chassis.admin import replay
from chassis.messaging.kafka_ports import Record
from chassis.messaging.outbox_relay import record
from chassis.messaging.parked_events import ParkedSequences
from chassis.persistence.mongo import Document
from tests.chassis.sample_service import JarFull
from tests.model.harness import TRAPS, Died, Harness, InMemoryBroker, Process
from tests.model.sample_service import Admitted, Fact, Merged, Noted, commit
from tests.model.strategies import KEYS, OWN, SUBJECTS, facts, names, places

R = TypeVar("R")
ROUNDS = 200


class Model(RuleBasedStateMachine):
    """Rules on the real product; the model stores only commits, discards, admissions and merges."""

    begin: Callable[[], Coroutine[Any, Any, Harness]]
    loop: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Fact] = []
        self.discarded: set[tuple[str, int]] = set()
        self.known: set[str] = set()
        self.into: dict[str, str] = {}
        self.positions: dict[str, int] = {}
        self.harness: Harness = self.loop.run(self.begin())

    def do(self, work: Coroutine[Any, Any, R]) -> R | None:
        """Return the result; None if its process died, which is then restarted."""
        return self.loop.run(self._surviving(work))

    async def _surviving(self, work: Coroutine[Any, Any, R]) -> R | None:
        try:
            return await work
        except Died:
            for name in list(self.harness.processes):
                await self.harness.begin(name)
            return None

    def process(self, name: str) -> Process:
        return self.harness.processes.get(name, self.harness.processes["A"])

    @property
    def fake(self) -> bool:
        return isinstance(self.harness.broker, InMemoryBroker)

    def survivor(self, subject: str, *, without: frozenset[str] = frozenset()) -> str:
        while subject in self.into and subject not in without:
            subject = self.into[subject]
        return subject

    # Commits

    @initialize()
    def start(self) -> None:
        self.loop.run(self.harness.begin("A"))

    def _facts(self, drawn: list[tuple[str, str]]) -> list[Fact]:
        """Return events; a subject that is not admitted yet has none under its own key."""
        return [Fact(self._key(key, subject), Noted.type, subject) for key, subject in drawn]

    def _key(self, key: str, subject: str) -> str:
        if key != OWN:
            return key
        return subject if subject in self.known else KEYS[0]

    @rule(name=names, drawn=facts)
    def commit(self, name: str, drawn: list[tuple[str, str]]) -> None:
        answer = self._facts(drawn)
        self.do(self.process(name).run(lambda tx: commit(answer, tx)))
        self.published += sorted(
            answer, key=lambda fact: [one.key for one in answer].index(fact.key)
        )

    @rule(name=names, drawn=facts)
    def commit_in_vain(self, name: str, drawn: list[tuple[str, str]]) -> None:
        with pytest.raises(JarFull):
            self.do(self.process(name).run(lambda tx: commit(self._facts(drawn), tx, refused=True)))

    @rule(name=names, subject=st.sampled_from(SUBJECTS), by_event=st.booleans())
    def admit(self, name: str, subject: str, *, by_event: bool) -> None:
        if subject in self.known:
            return
        answer = [Fact(subject, Admitted.type, subject)] if by_event else []
        self.do(
            self.process(name).run(
                lambda tx: commit(answer, tx, admitting="" if by_event else subject)
            )
        )
        self.published += answer
        self.known.add(subject)

    @rule(name=names, one=st.sampled_from(SUBJECTS), other=st.sampled_from(SUBJECTS))
    def merge(self, name: str, one: str, other: str) -> None:
        one, other = self.survivor(one), self.survivor(other)
        if one == other:
            return
        answer = [Fact(key, Merged.type, one, other) for key in (one, other)]
        self.do(self.process(name).run(lambda tx: commit(answer, tx)))
        self.published += answer
        self.into[one] = other

    @rule(name=names, drawn=facts)
    def commit_and_hear(self, name: str, drawn: list[tuple[str, str]]) -> None:
        self.commit(name, drawn)
        self.relay_and_consume(name)

    @rule(name=names, key=st.sampled_from(KEYS), subject=st.sampled_from(SUBJECTS))
    def poison(self, name: str, key: str, subject: str) -> None:
        """Commit a fact whose handler fails; later facts of its key would not fail."""
        self.harness.broken.add(key)
        self.commit_and_hear(name, [(key, subject)])
        self.harness.broken.discard(key)

    # Steps, faults and operators

    @rule(name=names)
    def relay(self, name: str) -> None:
        self.do(self.process(name).sender.step())

    @rule(name=names)
    def mark(self, name: str) -> None:
        self.do(self.process(name).sender.mark())

    @rule(name=names)
    def consume(self, name: str) -> None:
        self.do(self.process(name).reader.step())

    @rule(name=names)
    def relay_and_consume(self, name: str) -> None:
        self.relay(name)
        self.consume(name)

    @rule(name=names)
    def look_for_overdue_facts(self, name: str) -> None:
        self.do(self.process(name).overdue())

    @rule(trap=st.sampled_from(TRAPS))
    def lay_a_trap(self, trap: str) -> None:
        self.harness.traps = [trap]

    @rule(trap=st.sampled_from(TRAPS), name=names, drawn=facts)
    def fall_into_a_trap(self, trap: str, name: str, drawn: list[tuple[str, str]]) -> None:
        self.lay_a_trap(trap)
        self.commit_and_hear(name, drawn)

    @rule(name=names)
    def kill(self, name: str) -> None:
        self.loop.run(self.harness.begin(self.process(name).name))

    @rule()
    def rebalance(self) -> None:
        if "B" not in self.harness.processes:
            self.loop.run(self.harness.begin("B"))
        elif self.fake:  # a real broker removes a static member only after ten seconds
            self.loop.run(self.harness.end("B"))

    @precondition(lambda self: self.fake)
    @rule(away=st.booleans())
    def broker(self, *, away: bool) -> None:
        assert isinstance(self.harness.broker, InMemoryBroker)
        self.harness.broker.fake.away = away

    @rule(place=places, count=st.integers(1, 3))
    def duplicate(self, place: int, count: int) -> None:
        self.loop.run(self._again(place, count))

    @rule(key=st.sampled_from((*KEYS, *SUBJECTS, "")))
    def replay(self, key: str) -> None:
        self.loop.run(self._replay(key))

    @rule(key=st.sampled_from(KEYS), broken=st.booleans())
    def facts_fail(self, key: str, *, broken: bool) -> None:
        (self.harness.broken.add if broken else self.harness.broken.discard)(key)

    @rule(name=names)
    def retry(self, name: str) -> None:
        self.do(self._retry(self.process(name)))

    @rule(name=names, place=places)
    def discard(self, name: str, place: int) -> None:
        self.do(self._discard(self.process(name), place))

    async def _sent(self, where: Document) -> list[Document]:
        return await self.harness.db.find(
            "outbox", {"sent": True} | where, sort=[("key", 1), ("seq", 1)]
        )

    async def _again(self, place: int, count: int) -> None:
        if rows := await self._sent({}):
            await self._publish([rows[(place + step) % len(rows)] for step in range(count)])

    async def _replay(self, key: str) -> None:
        rows, _ = await replay.page(
            self.harness.db, {"sent": True} | ({"key": key} if key else {}), None, replay.PAGE
        )
        await self._publish(rows)

    async def _publish(self, rows: list[Document]) -> None:
        if isinstance(self.harness.broker, InMemoryBroker) and self.harness.broker.fake.away:
            return
        await replay.publish(
            self.harness.broker.producer(), self.process("A").relay.topic, rows, "shop"
        )

    async def _retry(self, process: Process) -> None:
        for marker in await self.harness.db.find("parked", {}, sort=[("_id", 1)]):
            await ParkedSequences(process.inbox).retry(process.run, marker["_id"])

    async def _discard(self, process: Process, place: int) -> None:
        letters = await self.harness.db.find("inbox", {"state": "parked"}, sort=[("order", 1)])
        if not letters:
            return
        letter = letters[place % len(letters)]
        await process.run(
            lambda tx: ParkedSequences(process.inbox).discard(
                tx, letter["marker"], letter["_id"], "modelled away"
            )
        )
        row = await self.harness.db.find_one("outbox", {"_id": letter["_id"]})
        if row is not None:  # a record that nobody could read has none
            self.discarded.add((row["key"], row["seq"]))

    # Invariants after every step

    @invariant()
    def what_holds_always(self) -> None:
        self.loop.run(self._check(topic=self.fake))

    async def _check(self, *, topic: bool) -> dict[str, list[Document]]:
        db = self.harness.db
        rows = dict[str, list[Document]]()
        outbox, effects, offsets = await asyncio.gather(
            db.find("outbox", {}, sort=[("key", 1), ("seq", 1)]),
            self._effects(),
            db.find("offsets", {}),
        )
        for row in outbox:
            rows.setdefault(row["key"], []).append(row)
        for key in (*KEYS, *SUBJECTS):
            committed = [
                fact.event.model_dump_json(exclude_none=True)
                for fact in self.published
                if fact.key == key
            ]
            assert [row["body"] for row in rows.get(key, [])] == committed, (
                "what was committed is in the outbox, in its order, and nothing else"
            )
            assert [row["seq"] for row in rows.get(key, [])] == list(range(1, len(committed) + 1))
        for key, seqs in effects.items():
            allowed = [row["seq"] for row in rows[key] if (key, row["seq"]) not in self.discarded]
            assert seqs == allowed[: len(seqs)], (
                f"{key}: effects once, in order, none left out but the discarded"
            )
        positions = {row["_id"]: row["next"] for row in offsets}
        assert all(positions[place] >= position for place, position in self.positions.items()), (
            "no position goes back"
        )
        self.positions = positions
        if topic:
            self._check_topic(
                rows, await self.harness.broker.records(self.process("A").relay.topic)
            )
        return rows

    async def _effects(self) -> dict[str, list[int]]:
        return {trace["_id"]: trace["seqs"] for trace in await self.harness.db.find("traces", {})}

    def _check_topic(self, rows: dict[str, list[Document]], records: list[Record]) -> None:
        first: dict[str, list[Any]] = {}
        for one in records:
            sent = (one.key, one.value, sorted(one.headers))
            if sent not in (seen := first.setdefault((one.key or b"").decode(), [])):
                seen.append(sent)
        for key in {*first, *rows}:
            wanted = [
                (name, body, sorted(headers))
                for name, body, headers in (record(row, "shop") for row in rows.get(key, []))
            ]
            seen = first.get(key, [])
            assert seen == wanted[: len(seen)], (
                f"{key}: first occurrences in the order of seq, and only of what was committed"
            )
            assert not any(row["sent"] for row in rows.get(key, [])[len(seen) :]), (
                f"{key}: only what is published is marked"
            )

    # Invariants at the end, when nothing is left to do

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None and self.harness.processes:
                self.loop.run(self._rest())
        finally:
            for name in list(self.harness.processes):
                self.loop.run(self.harness.end(name))

    async def _rest(self) -> None:
        harness = self.harness
        harness.traps.clear()
        harness.broken.clear()
        if isinstance(harness.broker, InMemoryBroker):
            harness.broker.fake.away = False
        before: Any = None
        for _ in range(ROUNDS):
            for process in harness.processes.values():
                await process.sender.step()
                await process.sender.mark()
                await process.reader.step()
                await self._retry(process)
                await process.overdue()
            now = await self._standing()
            if now == before and not now["unsent"] and now["heard"] == len(self.published):
                break
            # A consumer rejoins within a minute after a lost last batch; a restart is faster.
            if now == before:
                for name in list(harness.processes):
                    await harness.begin(name)
            before = now
        rows = await self._check(topic=True)
        assert await harness.db.count("outbox", {"sent": False}) == 0
        await self._at_rest(rows)

    async def _standing(self) -> dict[str, Any]:
        db = self.harness.db
        offsets = {row["_id"]: row["next"] for row in await db.find("offsets", {})}
        return {
            "unsent": await db.count("outbox", {"sent": False}),
            "heard": await db.count("inbox", {}),
            "offsets": offsets,
            "effects": await self._effects(),
        }

    async def _at_rest(self, rows: dict[str, list[Document]]) -> None:
        """Check that every committed event took effect, or is discarded or early.

        Events about a subject that never came stay early, with everything behind them.
        """
        merges = Counter(fact.subject for fact in self._kept() if fact.kind == Merged.type)
        unmerged = frozenset(self.into) - merges.keys()
        known = {self.survivor(subject, without=unmerged) for subject in self.known}
        effects: dict[str, list[int]] = {}
        notes: dict[str, list[str]] = {subject: [] for subject in known}
        waiting: set[str] = set()
        for key, stored in rows.items():
            answer = [fact for fact in self.published if fact.key == key]
            stuck = False
            for row, fact in zip(stored, answer, strict=True):
                whom = self.survivor(fact.subject, without=unmerged)
                if (key, row["seq"]) in self.discarded:
                    continue
                stuck = stuck or (fact.kind == Noted.type and whom not in known)
                if stuck:
                    waiting.add(row["_id"])
                    continue
                effects.setdefault(key, []).append(row["seq"])
                if fact.kind == Noted.type:
                    notes[whom].append(f"{key}/{row['seq']}")
        db = self.harness.db
        assert await self._effects() == effects
        assert {
            row["_id"] for row in await db.find("inbox", {"state": {"$in": ["early", "parked"]}})
        } == waiting
        assert {row["waits_for"] for row in await db.find("early", {})} & known == set()
        assert {note["_id"]: sorted(note["texts"]) for note in await db.find("notes", {})} == {
            subject: sorted(texts) for subject, texts in notes.items()
        }
        assert {alias["_id"]: alias["into"] for alias in await db.find("aliases", {})} == {
            subject: self.survivor(subject, without=unmerged) for subject in merges
        }

    def _kept(self) -> Iterator[Fact]:
        counts: Counter[str] = Counter()
        for fact in self.published:
            counts[fact.key] += 1
            if (fact.key, counts[fact.key]) not in self.discarded:
                yield fact
