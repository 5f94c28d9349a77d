"""Early, failing and conflicting events.

Each test shows one way in which an event could be stuck, lost, wrongly parked or overtaken.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import pytest

from chassis.errors import DomainError
from chassis.ids import new_id
from chassis.messaging.inbox import FEW
from chassis.messaging.parked_events import ParkedSequences
from tests.chassis.harness import Harness
from tests.chassis.sample_service import Note, Transaction
from tests.fakes import eventually

# Early events


async def test_a_fact_and_its_subject_in_one_batch_meet_whichever_comes_first(
    harness: Harness,
) -> None:
    owner = new_id()
    async with harness.one_batch():
        await harness.tell("note-told", harness.beside(owner), owner_ref=owner, text="early")
        await harness.tell("owner-admitted", owner, owner_ref=owner)
    await harness.becomes(lambda: harness.texts(owner), ["early"])


async def test_an_early_event_of_a_merged_subject_reaches_the_survivor(
    harness: Harness,
) -> None:
    old = new_id()
    new = new_id()
    await harness.tell("owner-admitted", new, owner_ref=new)
    await harness.tell("note-told", new_id(), owner_ref=old, text="early")
    await harness.becomes(lambda: harness.db.count("early", {}), 1)
    await harness.tell("owner-merged", new, owner_ref=new, from_ref=old, into_ref=new)
    await harness.becomes(lambda: harness.texts(new), ["early"])


async def test_an_early_event_beside_a_concurrent_subject_is_applied_soon(
    harness: Harness,
) -> None:
    owner = new_id()
    begun = asyncio.Event()
    kept = asyncio.Event()

    async def admit(tx: Transaction) -> None:
        await tx.notes.seek(owner)
        begun.set()
        await kept.wait()
        tx.notes.add(Note(id=owner, owner_ref=owner))

    admitting = asyncio.create_task(harness.run(60)(admit))
    await begun.wait()
    await harness.tell("note-told", new_id(), owner_ref=owner, text="early")
    await eventually(lambda: harness.db.find_one("early", {"waits_for": owner}))
    kept.set()
    await admitting
    await harness.becomes(lambda: harness.texts(owner), ["early"], seconds=14)


async def test_an_unknown_subject_after_a_flush_is_early_and_not_parked(
    harness: Harness,
) -> None:
    one = new_id()
    two = new_id()
    subject = new_id()
    async with harness.one_batch():
        await harness.tell("asked", one, owner_ref=one, what="plain")
        fact = await harness.tell("asked", one, owner_ref=two, what="query and wait", about=subject)
    await harness.becomes(lambda: harness.state(fact), "early")


async def test_a_failing_early_event_does_not_stop_the_command_of_its_subject(
    harness: Harness,
) -> None:
    await harness.jar(label="taken")
    subject = new_id()
    fact = await harness.tell(
        "asked", new_id(), owner_ref=new_id(), what="jar when noted", about=subject
    )
    await harness.becomes(lambda: harness.state(fact), "early")

    async def admit(tx: Transaction) -> Note:
        return tx.notes.add(Note(id=subject, owner_ref=subject))

    await harness.run(3)(admit)
    await harness.becomes(lambda: harness.state(fact), "parked", seconds=14)


# Faults that stop a partition


@pytest.mark.parametrize("what", ["too big", "label taken"])
async def test_an_event_whose_write_is_refused_at_the_flush_is_parked_alone(
    harness: Harness, what: str
) -> None:
    await harness.jar(label="taken")
    key = new_id()
    about = new_id()
    async with harness.one_batch():
        bad = await harness.tell("asked", key, owner_ref=key, what=what, about=about)
        good = await harness.tell("asked", key + "x", owner_ref=key, what="plain")
    await harness.becomes(lambda: harness.state(good), "done", seconds=10)
    await harness.becomes(lambda: harness.state(bad), "parked", seconds=10)


async def test_an_event_that_flushed_a_refused_write_of_another_is_not_blamed(
    harness: Harness,
) -> None:
    await harness.jar(label="taken")
    key = new_id()
    beside = harness.beside(key)
    async with harness.one_batch():
        bad = await harness.tell("asked", key, owner_ref=key, what="label taken", about=new_id())
        good = await harness.tell("asked", beside, owner_ref=beside, what="query and note")
    await harness.becomes(lambda: harness.state(bad), "parked", seconds=10)
    await harness.becomes(lambda: harness.state(good), "done", seconds=10)


async def test_a_header_without_a_value_stops_nothing(harness: Harness) -> None:
    owner = new_id()
    event = await harness.tell("asked", owner, null_header=True, owner_ref=owner, what="plain")
    await harness.becomes(lambda: harness.state(event), "done")


async def test_a_letter_that_a_unique_index_refuses_leaves_those_before_it_done(
    harness: Harness,
) -> None:
    key = new_id()
    letters = [await harness.tell("asked", key, owner_ref=key, what="refuse")]
    await harness.becomes(lambda: harness.state(letters[0]), "parked", seconds=10)
    letters += [
        await harness.tell("asked", key, owner_ref=key, what=what, about=new_id())
        for what in ("plain", "label taken")
    ]
    await harness.becomes(lambda: harness.state(letters[2]), "parked")
    await harness.jar(label="taken")
    [marker] = await harness.db.find("parked", {"key": key})
    parked = ParkedSequences(harness.life.inbox)
    await harness.run()(lambda tx: parked.discard(tx, marker["_id"], letters[0], "tested here"))
    with suppress(DomainError):
        await parked.retry(harness.run(), marker["_id"])
    assert [await harness.state(letter) for letter in letters[1:]] == ["done", "parked"]


async def test_a_large_batch_sees_parked_early_and_merged_like_a_small_one(
    harness: Harness,
) -> None:
    parked, early, subject, gone, survivor = (new_id() for _ in range(5))
    bad = await harness.tell("asked", parked, owner_ref=parked, what="refuse")
    first = await harness.tell("note-told", early, owner_ref=subject, text="early")
    await harness.becomes(lambda: harness.state(bad), "parked", seconds=10)
    await harness.becomes(lambda: harness.state(first), "early", seconds=10)
    await harness.run()(lambda tx: tx.alias(gone, survivor))
    async with harness.one_batch():
        others = [
            await harness.tell("asked", key, owner_ref=key, what="plain")
            for key in (new_id() for _ in range(2 * FEW))
        ]
        behind = await harness.tell("asked", parked, owner_ref=parked, what="plain")
        later = await harness.tell("asked", early, owner_ref=early, what="plain")
        merged = await harness.tell("asked", gone, owner_ref=gone, what="plain")
    for event, state in [
        *((other, "done") for other in others),
        (behind, "parked"),
        (later, "early"),
        (merged, "done"),
    ]:
        await harness.becomes(partial(harness.state, event), state, seconds=10)
    assert await harness.texts(survivor) == ["plain"]
    assert await harness.texts(gone) is None
