"""Events of training through Kafka, and what follows from them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Self

import pytest

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaProducer
from chassis.persistence.mongo import Mongo
from services.marketplace import inbound
from services.marketplace.batches import usecases as batches
from services.marketplace.money import Rupiah
from services.marketplace.payments import usecases as payments
from services.marketplace.payments.rules import Observation, PaymentStatus
from services.marketplace.transaction import Transaction
from services.marketplace.workers.store import Workers
from tests.fakes import eventually, send
from tests.marketplace.harness import LapasHarness, created, jakarta_today


class Training:
    """Publishes what training would publish."""

    def __init__(self, lapas: LapasHarness, kafka: str) -> None:
        self.producer = KafkaProducer(kafka, f"test-{new_id()[-6:]}")
        self._sequence = 0
        [self.topic] = lapas.client.app.state.life.inbox.topics

    async def __aenter__(self) -> Self:
        await self.producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.producer.stop()

    async def publish(self, kind: str, key: str, *, event_id: str = "", **data: Any) -> str:
        """Publish an event under a key; return its id."""
        self._sequence += 1
        envelope = Envelope(
            id=event_id or new_id(),
            type=f"training.{kind}.v1",
            source="bina/training",
            key=key,
            time=utc_now(),
            sequence=self._sequence,
        )
        await send(self.producer, self.topic, key, json.dumps(data).encode(), envelope.headers())
        return envelope.id


def decision(lapas: LapasHarness, person: str, *, eligible: bool) -> dict[str, Any]:
    """Return the data of a decision of today."""
    return {
        "participant_ref": person,
        "facility_id": lapas.facility,
        "decided_on": str(jakarta_today()),
        "eligible": eligible,
    }


async def test_an_assignment_needs_the_decision_that_training_published(
    lapas: LapasHarness, kafka: str
) -> None:
    person = f"ref-{new_id()}"
    assert (await lapas.assign(person)).json()["code"] == "worker_unknown"
    async with Training(lapas, kafka) as training:
        await training.publish(
            "work-eligibility-decided",
            person,
            **decision(lapas, person, eligible=True),
            valid_until=str(jakarta_today()),
            title="ignored",
        )
        await eventually(lambda: lapas.stored("workers", _id=person, eligible=True))
    assignment = await created(lapas.assign(person))
    assert (assignment["to_on"], assignment["facility_id"]) == (None, lapas.facility)


async def test_a_refusal_ends_the_assignment_and_raises_a_task(
    lapas: LapasHarness, kafka: str
) -> None:
    [person] = await lapas.employ(1)
    [assignment] = await lapas.assignments()
    async with Training(lapas, kafka) as training:
        refusal = decision(lapas, person, eligible=False)
        await training.publish("work-eligibility-decided", person, **refusal)
        await eventually(
            lambda: lapas.stored("work_assignments", participant_ref=person, live=False)
        )
    assert (await lapas.assign(person)).json()["code"] == "work_not_allowed"
    [task] = await lapas.tasks()
    assert (task["kind"], task["subject"], task["facts"]["because"]) == (
        "assignment_ended",
        assignment["id"],
        "decision",
    )


@pytest.mark.scenario("INV-14/inbox")
async def test_a_duplicate_takes_effect_once_and_a_broken_event_is_parked(
    lapas: LapasHarness, kafka: str
) -> None:
    person = f"ref-{new_id()}"
    broken = f"ref-{new_id()}"
    async with Training(lapas, kafka) as training:
        await training.publish(
            "work-eligibility-decided",
            broken,
            participant_ref=broken,
            facility_id=lapas.facility,
            eligible="perhaps",
        )
        follower = await training.publish("participant-released", broken, participant_ref=broken)
        data = decision(lapas, person, eligible=True)
        event_id = await training.publish("work-eligibility-decided", person, **data)
        await training.publish("work-eligibility-decided", person, event_id=event_id, **data)
        await training.publish(
            "participant-returned", person, participant_ref=person, facility_id=lapas.facility
        )
        await eventually(lambda: lapas.stored("inbox", _id=follower, state="parked"))
        await eventually(lambda: lapas.stored("workers", _id=person))
    assert len(await lapas.stored("inbox", _id=event_id)) == 1
    assert [row["version"] for row in await lapas.stored("workers", _id=person)] == [1]
    assert await lapas.stored("workers", _id=broken) == []


async def test_a_merge_moves_assignments_logs_months_and_premi_once(
    lapas: LapasHarness, kafka: str
) -> None:
    old, new = await lapas.employ(1, 1)
    await lapas.produce(2, 80_000, 2, 1)
    await lapas.paid_order(1)
    merged = {"from_ref": old, "into_ref": new, "as_of": str(utc_now())}
    async with Training(lapas, kafka) as training:
        for key in (new, old):
            event_id = await training.publish(
                "participant-merged", key, participant_ref=key, **merged
            )
            await eventually(
                lambda event_id=event_id: lapas.stored("inbox", _id=event_id, state="done")
            )
    moved = await lapas.stored("journals", source=f"merge:{old}")
    assert [
        [(leg["account"], leg["side"], leg["amount_idr"]) for leg in journal["legs"]]
        for journal in moved
    ] == [[(f"utang_premi:{old}", "debit", 20_000), (f"utang_premi:{new}", "credit", 20_000)]]
    for collection in ("work_assignments", "work_logs", "work_months"):
        assert await lapas.stored(collection, participant_ref=old) == []
    [month] = await lapas.stored("work_months", participant_ref=new)
    assert month["units"] == 3
    last_days = [assignment["to_on"] for assignment in await lapas.assignments()]
    assert last_days.count(None) == 1
    await lapas.balances()


async def test_a_sale_after_a_merge_pays_premi_to_the_survivor(
    lapas: LapasHarness, kafka: str
) -> None:
    old, new = await lapas.employ(1, 1)
    await lapas.produce(1, 40_000, 2, 1)
    async with Training(lapas, kafka) as training:
        event_id = await training.publish(
            "participant-merged", old, participant_ref=old, from_ref=old, into_ref=new
        )
        await eventually(lambda: lapas.stored("inbox", _id=event_id, state="done"))
    [sale] = await lapas.journals(await lapas.paid_order(1))
    legs = {leg["account"]: leg["amount_idr"] for leg in sale["legs"]}
    premi = {account: idr for account, idr in legs.items() if account.startswith("utang_premi")}
    assert premi == {f"utang_premi:{new}": 30_000}


@pytest.mark.scenario("M9/unshipped")
async def test_a_reversal_after_a_merge_debits_the_survivor(
    lapas: LapasHarness, kafka: str
) -> None:
    """The account of the merged reference stays at zero."""
    old, new = await lapas.employ(1, 1)
    await lapas.produce(2, 80_000, 2, 1)
    order = await lapas.paid_order(1)
    async with Training(lapas, kafka) as training:
        event_id = await training.publish(
            "participant-merged", old, participant_ref=old, from_ref=old, into_ref=new
        )
        await eventually(lambda: lapas.stored("inbox", _id=event_id, state="done"))
    await lapas.command(order, "deny")
    journals = await lapas.stored("journals", facility_id=lapas.facility)
    balances = {f"utang_premi:{old}": 0, f"utang_premi:{new}": 0}
    for journal in journals:
        for leg in journal["legs"]:
            if leg["account"] in balances:
                sign = 1 if leg["side"] == "credit" else -1
                balances[leg["account"]] += sign * leg["amount_idr"]
    assert balances == {f"utang_premi:{old}": 0, f"utang_premi:{new}": 0}
    [reversal] = [journal for journal in journals if journal["reverses"]]
    assert f"utang_premi:{old}" not in {leg["account"] for leg in reversal["legs"]}


async def test_a_reversal_racing_a_merge_debits_the_survivor(lapas: LapasHarness) -> None:
    old, new = await lapas.employ(1, 1)
    await lapas.produce(2, 80_000, 2, 1)
    order = await lapas.paid_order(1)
    [event] = await lapas.stored("payment_events", order_id=order["id"], status="settled")
    denied = Observation(
        provider="sandbox",
        txn_id=event["txn_id"],
        order_ref=event["order_ref"],
        status=PaymentStatus.DENIED,
        amount_idr=Rupiah(100_000),
        currency="IDR",
        merchant="G-SANDBOX",
        occurred_at=utc_now(),
        raw_hash="",
    )
    await lapas.run_with_concurrent_change(
        partial(payments.record_observation, denied, "G-SANDBOX"),
        lambda: lapas.as_service(partial(batches.merge_participants, old, new, new_id())),
    )
    assert (await lapas.balances())["utang_premi"] == 0
    journals = await lapas.stored("journals", **{"legs.account": f"utang_premi:{old}"})
    assert {journal["source"] for journal in journals} == {order["id"], f"merge:{old}"}
    assert len(journals) == 2


async def test_an_event_under_a_merged_reference_belongs_to_the_survivor(
    lapas: LapasHarness, kafka: str
) -> None:
    old = f"ref-{new_id()}"
    new = f"ref-{new_id()}"
    merged = {"from_ref": old, "into_ref": new, "as_of": str(utc_now())}
    async with Training(lapas, kafka) as training:
        await training.publish("participant-merged", old, participant_ref=old, **merged)
        data = decision(lapas, old, eligible=True)
        await training.publish("work-eligibility-decided", old, **data)
        await eventually(lambda: lapas.stored("workers", _id=new, eligible=True))
    assert await lapas.stored("workers", _id=old) == []
    assert (await created(lapas.assign(old)))["participant_ref"] == new


async def test_a_batch_of_events_reads_its_workers_at_once(
    lapas: LapasHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handlers read nothing by id that the events do not declare."""
    people = await lapas.employ(1, 1, 1)
    events = [inbound.ParticipantAbsent(participant_ref=person) for person in people]
    read_collections: list[str] = []
    find = Mongo.find

    async def noting_find(mongo: Mongo, collection: str, *args: Any, **more: Any) -> Any:
        read_collections.append(collection)
        return await find(mongo, collection, *args, **more)

    async def handle_batch(tx: Transaction) -> None:
        keys = [key for event in events for key in event.reads()]
        assert {store for store, _ in keys} == {Workers}
        await tx.workers.many([id_ for _, id_ in keys], scoped=False)
        for event in events:
            await inbound.on_participant_absent(event, tx)

    monkeypatch.setattr(Mongo, "find", noting_find)
    await lapas.as_service(handle_batch)
    assert read_collections.count("workers") == 1
