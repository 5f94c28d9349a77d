"""Events beside the plain path.

Each test shows one way in which something could be stuck, lost, blamed or overtaken.
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

# Early facts


async def test_a_fact_and_its_subject_in_one_batch_meet_whichever_comes_first(
    scene: Harness,
) -> None:
    owner = new_id()
    async with scene.one_batch():
        await scene.tell("note-told", scene.beside(owner), owner_ref=owner, text="early")
        await scene.tell("owner-admitted", owner, owner_ref=owner)
    await scene.becomes(lambda: scene.texts(owner), ["early"])


async def test_an_early_event_of_a_merged_subject_reaches_the_survivor(
    scene: Harness,
) -> None:
    old = new_id()
    new = new_id()
    await scene.tell("owner-admitted", new, owner_ref=new)
    await scene.tell("note-told", new_id(), owner_ref=old, text="early")
    await scene.becomes(lambda: scene.db.count("early", {}), 1)
    await scene.tell("owner-merged", new, owner_ref=new, from_ref=old, into_ref=new)
    await scene.becomes(lambda: scene.texts(new), ["early"])


async def test_an_early_event_beside_a_concurrent_subject_is_applied_soon(
    scene: Harness,
) -> None:
    owner = new_id()
    begun = asyncio.Event()
    kept = asyncio.Event()

    async def admit(tx: Transaction) -> None:
        await tx.notes.seek(owner)
        begun.set()
        await kept.wait()
        tx.notes.add(Note(id=owner, owner_ref=owner))

    admitting = asyncio.create_task(scene.run(60)(admit))
    await begun.wait()
    await scene.tell("note-told", new_id(), owner_ref=owner, text="early")
    await eventually(lambda: scene.db.find_one("early", {"waits_for": owner}))
    kept.set()
    await admitting
    await scene.becomes(lambda: scene.texts(owner), ["early"], seconds=14)


async def test_an_unknown_subject_after_a_flush_is_early_and_not_parked(
    scene: Harness,
) -> None:
    one = new_id()
    two = new_id()
    subject = new_id()
    async with scene.one_batch():
        await scene.tell("asked", one, owner_ref=one, what="plain")
        fact = await scene.tell("asked", one, owner_ref=two, what="query and wait", about=subject)
    await scene.becomes(lambda: scene.state(fact), "early")


async def test_a_failing_early_event_does_not_stop_the_command_of_its_subject(
    scene: Harness,
) -> None:
    await scene.jar(label="taken")
    subject = new_id()
    fact = await scene.tell(
        "asked", new_id(), owner_ref=new_id(), what="jar when noted", about=subject
    )
    await scene.becomes(lambda: scene.state(fact), "early")

    async def admit(tx: Transaction) -> Note:
        return tx.notes.add(Note(id=subject, owner_ref=subject))

    await scene.run(3)(admit)
    await scene.becomes(lambda: scene.state(fact), "parked", seconds=14)


# What stops a partition


@pytest.mark.parametrize("what", ["too big", "label taken"])
async def test_an_event_whose_write_is_refused_at_the_flush_is_parked_alone(
    scene: Harness, what: str
) -> None:
    await scene.jar(label="taken")
    key = new_id()
    about = new_id()
    async with scene.one_batch():
        bad = await scene.tell("asked", key, owner_ref=key, what=what, about=about)
        good = await scene.tell("asked", key + "x", owner_ref=key, what="plain")
    await scene.becomes(lambda: scene.state(good), "done", seconds=10)
    await scene.becomes(lambda: scene.state(bad), "parked", seconds=10)


async def test_an_event_that_flushed_a_refused_write_of_another_is_not_blamed(
    scene: Harness,
) -> None:
    await scene.jar(label="taken")
    key = new_id()
    beside = scene.beside(key)
    async with scene.one_batch():
        bad = await scene.tell("asked", key, owner_ref=key, what="label taken", about=new_id())
        good = await scene.tell("asked", beside, owner_ref=beside, what="query and note")
    await scene.becomes(lambda: scene.state(bad), "parked", seconds=10)
    await scene.becomes(lambda: scene.state(good), "done", seconds=10)


async def test_a_header_without_a_value_stops_nothing(scene: Harness) -> None:
    owner = new_id()
    event = await scene.tell("asked", owner, null_header=True, owner_ref=owner, what="plain")
    await scene.becomes(lambda: scene.state(event), "done")


async def test_a_letter_that_a_unique_index_refuses_leaves_those_before_it_done(
    scene: Harness,
) -> None:
    key = new_id()
    letters = [await scene.tell("asked", key, owner_ref=key, what="refuse")]
    await scene.becomes(lambda: scene.state(letters[0]), "parked", seconds=10)
    letters += [
        await scene.tell("asked", key, owner_ref=key, what=what, about=new_id())
        for what in ("plain", "label taken")
    ]
    await scene.becomes(lambda: scene.state(letters[2]), "parked")
    await scene.jar(label="taken")
    [marker] = await scene.db.find("parked", {"key": key})
    parked = ParkedSequences(scene.life.inbox)
    await scene.run()(lambda tx: parked.discard(tx, marker["_id"], letters[0], "tested"))
    with suppress(DomainError):
        await parked.retry(scene.run(), marker["_id"])
    assert [await scene.state(letter) for letter in letters[1:]] == ["done", "parked"]


async def test_a_large_batch_sees_parked_early_and_merged_like_a_small_one(
    scene: Harness,
) -> None:
    parked, early, subject, gone, survivor = (new_id() for _ in range(5))
    bad = await scene.tell("asked", parked, owner_ref=parked, what="refuse")
    first = await scene.tell("note-told", early, owner_ref=subject, text="early")
    await scene.becomes(lambda: scene.state(bad), "parked", seconds=10)
    await scene.becomes(lambda: scene.state(first), "early", seconds=10)
    await scene.run()(lambda tx: tx.alias(gone, survivor))
    async with scene.one_batch():
        others = [
            await scene.tell("asked", key, owner_ref=key, what="plain")
            for key in (new_id() for _ in range(2 * FEW))
        ]
        behind = await scene.tell("asked", parked, owner_ref=parked, what="plain")
        later = await scene.tell("asked", early, owner_ref=early, what="plain")
        merged = await scene.tell("asked", gone, owner_ref=gone, what="plain")
    for event, state in [
        *((other, "done") for other in others),
        (behind, "parked"),
        (later, "early"),
        (merged, "done"),
    ]:
        await scene.becomes(partial(scene.state, event), state, seconds=10)
    assert await scene.texts(survivor) == ["plain"]
    assert await scene.texts(gone) is None
