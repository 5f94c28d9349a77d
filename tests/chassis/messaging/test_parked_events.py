"""Parked sequences beside early events of the same key. MongoDB and the fake Kafka."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from chassis.admin.parked_event_admin import encode_segment
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.inbox import EARLY_JOB, InboxTransaction
from chassis.messaging.parked_events import ParkedSequences
from chassis.persistence.transactions import Runner
from tests.chassis.harness import Harness
from tests.chassis.sample_service import Note, Transaction


async def tell_unreadable(harness: Harness, key: str) -> str:
    """Publish an event whose body is no JSON; return its id."""
    envelope = Envelope(
        id=new_id(),
        type="outside.asked.v1",
        source="bina/outside",
        key=key,
        time=utc_now(),
        sequence=1,
    )
    await harness.fake.append(topic_of(harness), key.encode(), b"{", envelope.headers())
    return envelope.id


def topic_of(harness: Harness) -> str:
    return f"{harness.life.service.settings.namespace}outside.events"


async def park_behind_early(harness: Harness, owner: str, key: str) -> tuple[list[str], str]:
    """Make the first event early; park an unreadable second and a third, discard the second.

    Returns the ids of the three events, and of the sequence.
    """
    early = await harness.tell("note-told", key, owner_ref=owner, text="one")
    await harness.becomes(lambda: harness.state(early), "early")
    unreadable = await tell_unreadable(harness, key)
    third = await harness.tell("note-told", key, owner_ref=owner, text="three")
    await harness.becomes(lambda: harness.state(third), "parked")
    sequence = f"{topic_of(harness)}/{key}"
    parked = ParkedSequences(harness.life.inbox)

    async def discard(tx: Transaction) -> None:
        await parked.discard(tx, sequence, unreadable, "its body is no JSON")

    await harness.run()(discard)
    return [early, unreadable, third], sequence


async def test_a_retry_does_not_overtake_an_early_event_of_its_key(harness: Harness) -> None:
    owner = new_id()
    ids, sequence = await park_behind_early(harness, owner, new_id())
    took_effect = await ParkedSequences(harness.life.inbox).retry(harness.run(), sequence)
    assert took_effect == 0
    assert [await harness.state(id_) for id_ in ids] == ["early", "discarded", "early"]
    assert await harness.db.find_one("parked", {"_id": sequence}) is None
    await harness.tell("owner-admitted", owner, owner_ref=owner)
    await harness.becomes(lambda: harness.texts(owner), ["one", "three"], seconds=20)
    assert await harness.db.count("early", {}) == 0


async def test_a_dry_run_says_that_a_retry_behind_an_early_event_has_no_effect(
    harness: Harness,
) -> None:
    ids, sequence = await park_behind_early(harness, new_id(), new_id())
    path = f"/v1/operations/shop/parked/{encode_segment(sequence)}"
    etag = (await harness.client.get(path)).headers["etag"]
    for dry_run, state in ((True, "parked"), (False, "early")):
        answer = await harness.client.post(
            f"{path}/retry", params={"dry_run": dry_run}, headers={"if-match": etag}
        )
        assert answer.status_code == 200
        body = answer.json()
        assert (body["took_effect"], body["count"], body["more"]) == (0, 0, False)
        assert await harness.state(ids[2]) == state


async def test_a_retry_does_not_overtake_the_next_early_event_of_a_failed_one(
    harness: Harness,
) -> None:
    """The job of early events has parked the first of two, and its next turn is to come."""
    loop = harness.life.jobs[EARLY_JOB]
    work = loop.job.work

    async def rest(_run: Runner[Any]) -> bool:
        return False

    loop.job = replace(loop.job, work=rest)
    owner = new_id()
    key = new_id()
    head_id = f"{topic_of(harness)}/{key}"
    poison = await harness.tell("note-told", key, owner_ref=owner, text="poison")
    second = await harness.tell("note-told", key, owner_ref=owner, text="two")
    await harness.becomes(lambda: harness.state(second), "early")

    async def admit(tx: Transaction) -> None:
        tx.notes.add(Note(id=owner, owner_ref=owner))
        tx.added_ids.clear()

    async def apply_first(tx: Transaction) -> None:
        inbox_transaction = InboxTransaction(harness.life.inbox, tx)
        await inbox_transaction.load_early([head_id])
        await inbox_transaction.apply_first_early(head_id)

    await harness.run()(admit)
    await harness.run()(apply_first)
    third = await harness.tell("note-told", key, owner_ref=owner, text="three")
    await harness.becomes(lambda: harness.state(third), "parked")
    parked = ParkedSequences(harness.life.inbox)

    async def discard(tx: Transaction) -> None:
        await parked.discard(tx, head_id, poison, "its text is poison")

    await harness.run()(discard)
    await harness.run()(partial(parked.retry_first, head_id))
    assert await harness.texts(owner) == []
    while await work(harness.run()):
        pass
    assert await harness.texts(owner) == ["two", "three"]


async def test_a_retry_that_the_server_refuses_leaves_the_event_parked(harness: Harness) -> None:
    owner = new_id()
    bad = await harness.tell("asked", owner, owner_ref=owner, what="bad query")
    await harness.becomes(lambda: harness.state(bad), "parked", seconds=20)
    sequence = f"{topic_of(harness)}/{owner}"
    parked = ParkedSequences(harness.life.inbox)
    assert await parked.retry(harness.run(), sequence) == 0
    row = await harness.db.find_one("inbox", {"_id": bad})
    assert row is not None
    assert (row["state"], row["reason"], "retried_at" in row) == (
        "parked",
        "OperationFailure",
        True,
    )
