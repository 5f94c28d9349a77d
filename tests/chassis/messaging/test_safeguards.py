"""Safeguards of consumer and inbox, each of which a test would miss if it were removed.

Not here: what happens to bad events in general (test_bad_events, test_inbox).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chassis.ids import new_id
from chassis.messaging.batch_processor import BatchProcessor
from chassis.messaging.inbox import EARLY_JOB, InboxTransaction
from chassis.messaging.received_events import BatchOutcome, ReceivedEvent
from chassis.persistence.transactions import Runner
from tests.chassis.harness import Harness
from tests.chassis.sample_service import Note, Transaction


async def test_a_member_does_not_apply_what_another_has_passed(harness: Harness) -> None:
    """Another member has advanced the stored position while this one had the partition."""
    key = new_id()
    await harness.tell("asked", key, owner_ref=key, what="one")
    await harness.becomes(lambda: harness.texts(key), ["one"])
    await harness.db.update("offsets", {"next": 1}, {"$set": {"next": 2}})
    await harness.tell("asked", key, owner_ref=key, what="two")
    await harness.tell("asked", key, owner_ref=key, what="three")
    await harness.becomes(lambda: harness.texts(key), ["one", "three"], seconds=20)


async def test_a_handler_that_fails_once_is_tried_again_at_once(harness: Harness) -> None:
    key = new_id()
    await harness.tell("asked", key, owner_ref=key, what="one")
    await harness.becomes(lambda: harness.texts(key), ["one"])
    [record] = harness.fake.records(harness.life.inbox.topics[0])
    calls = 0

    async def fail_once(_event: Any, _tx: Transaction) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError

    received = harness.life.inbox.receive(record)._replace(handler=fail_once)

    async def attempt(tx: Transaction) -> Any:
        return await InboxTransaction(harness.life.inbox, tx).attempt(received)

    assert await harness.run()(attempt) == ""
    assert calls == 2


class FailingOnce(BatchProcessor[Any]):
    """A processor whose first batch fails; it records what each batch was to leave out."""

    failed: list[Mapping[str, str]]

    async def apply(self, tx: Any, part: Sequence[ReceivedEvent]) -> BatchOutcome:
        del part
        self.failed.append(dict(tx.failed))
        if len(self.failed) == 1:
            raise ValueError
        return BatchOutcome()


async def test_an_event_that_fails_alone_is_tried_again_before_it_is_parked(
    harness: Harness,
) -> None:
    key = new_id()
    await harness.tell("asked", key, owner_ref=key, what="one")
    await harness.becomes(lambda: harness.texts(key), ["one"])
    [record] = harness.fake.records(harness.life.inbox.topics[0])
    processor = FailingOnce(harness.life.engine, harness.life.inbox)
    processor.failed = []
    await processor.process([harness.life.inbox.receive(record)])
    assert processor.failed == [{}, {}]


async def test_an_event_that_joins_a_parked_sequence_changes_its_version(
    harness: Harness,
) -> None:
    """An operator acts on the state that was shown, never on a later one."""
    key = new_id()
    versions: list[int] = []
    for what in ("refuse", "behind"):
        event = await harness.tell("asked", key, owner_ref=key, what=what)
        await harness.becomes(lambda event=event: harness.state(event), "parked")
        head = await harness.db.find_one("parked", {"key": key}) or {}
        versions.append(head["version"])
    assert versions == [1, 2]


async def test_a_command_applies_early_events_in_its_own_transaction(harness: Harness) -> None:
    loop = harness.life.jobs[EARLY_JOB]

    async def rest(_run: Runner[Any]) -> bool:
        return False

    loop.job = replace(loop.job, work=rest)
    owner = new_id()
    event = await harness.tell("note-told", new_id(), owner_ref=owner, text="early")
    await harness.becomes(lambda: harness.state(event), "early")

    async def admit(tx: Transaction) -> None:
        tx.notes.add(Note(id=owner, owner_ref=owner))

    await harness.run()(admit)
    assert await harness.texts(owner) == ["early"]


async def test_an_early_event_wakes_the_job_that_looks_for_its_subject(
    harness: Harness,
) -> None:
    """Its subject may have been added at the same moment."""
    loop = harness.life.jobs[EARLY_JOB]
    runs = asyncio.Semaphore(0)

    async def count(_run: Runner[Any]) -> bool:
        runs.release()
        return False

    loop.job = replace(loop.job, work=count, every=600)
    async with asyncio.timeout(60):
        await runs.acquire()  # at the end of the pause that the job was in
        await harness.tell("note-told", new_id(), owner_ref=new_id(), text="early")
        await runs.acquire()
