"""Events of two sources with one id: CloudEvents are unique by source and id together."""

from __future__ import annotations

import json

from chassis.ids import event_id, new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.parked_events import ParkedSequences
from tests.chassis.harness import Harness


async def publish(harness: Harness, id_: str, source: str, key: str, **data: str) -> None:
    """Publish an event of this id and source."""
    envelope = Envelope(
        id=id_, type="outside.asked.v1", source=source, key=key, time=utc_now(), sequence=1
    )
    topic = f"{harness.life.service.settings.namespace}outside.events"
    await harness.fake.append(topic, key.encode(), json.dumps(data).encode(), envelope.headers())


async def test_events_of_two_sources_with_one_id_both_take_effect_once(harness: Harness) -> None:
    id_ = new_id()
    key = new_id()
    for _ in range(2):
        await publish(harness, id_, "bina/one", key, owner_ref=key, what="one")
        await publish(harness, id_, "bina/two", key, owner_ref=key, what="two")
    await harness.tell("asked", key, owner_ref=key, what="last")
    await harness.becomes(lambda: harness.texts(key), ["one", "two", "last"])
    rows = await harness.db.find("inbox", {"source": {"$in": ["bina/one", "bina/two"]}})
    assert {row["_id"] for row in rows} == {id_, f"bina/two/{id_}"}


async def test_two_sources_with_one_id_in_one_batch_both_take_effect(harness: Harness) -> None:
    id_ = new_id()
    key = new_id()
    async with harness.one_batch():
        for source in ("bina/one", "bina/two", "bina/one", "bina/two"):
            await publish(harness, id_, source, key, owner_ref=key, what=source)
        await harness.tell("asked", key, owner_ref=key, what="last")
    await harness.becomes(lambda: harness.texts(key), ["bina/one", "bina/two", "last"])


async def test_a_parked_event_whose_id_is_taken_can_be_discarded(harness: Harness) -> None:
    id_ = new_id()
    key = new_id()
    await publish(harness, id_, "bina/one", key, owner_ref=key, what="one")
    await publish(harness, id_, "bina/two", key, owner_ref=key, what="refuse")
    row_id = f"bina/two/{id_}"
    await harness.becomes(lambda: harness.state(row_id), "parked")
    sequence = f"{harness.life.service.settings.namespace}outside.events/{key}"
    parked = ParkedSequences(harness.life.inbox)
    assert await parked.retry(harness.run(), sequence) == 0
    await harness.run()(lambda tx: parked.discard(tx, sequence, row_id, "it never applies"))
    assert (await harness.state(row_id), await harness.state(id_)) == ("discarded", "done")


async def test_a_row_of_an_earlier_version_means_an_event_of_any_source(harness: Harness) -> None:
    id_ = new_id()
    key = new_id()
    await harness.db.insert("inbox", [{"_id": id_, "state": "done", "done_at": utc_now()}])
    await publish(harness, id_, "bina/outside", key, owner_ref=key, what="again")
    await harness.tell("asked", key, owner_ref=key, what="last")
    await harness.becomes(lambda: harness.texts(key), ["last"])


def test_two_services_give_the_same_aggregate_version_two_event_ids() -> None:
    assert event_id("training", "participants", "a", 1, 0) != event_id(
        "manpower", "participants", "a", 1, 0
    )
