"""What training tells, through Kafka, and what follows for places, work and premi."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any, Self

import pytest

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaProducer
from services.marketplace.batches import usecases as batches
from services.marketplace.batches.rules import BatchId, BatchStateDiffers, NotAssigned, WorkLogId
from services.marketplace.money import Rupiah
from services.marketplace.workers import usecases as workers
from services.marketplace.workers.rules import AssignmentId, WorkNotAllowed
from services.marketplace.workshops.rules import WorkshopClosed, WorkshopId
from tests.fakes import eventually, send
from tests.marketplace.harness import Json, Lapas, done, jakarta_today, made, together


class Training:
    """Sends what training would send."""

    def __init__(self, lapas: Lapas, kafka: str) -> None:
        self.producer, self._sequence = KafkaProducer(kafka, f"test-{new_id()[-6:]}"), 0
        [self.topic] = lapas.client.app.state.life.inbox.topics

    async def __aenter__(self) -> Self:
        await self.producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.producer.stop()

    async def tell(self, kind: str, key: str, **data: Any) -> str:
        self._sequence += 1
        envelope = Envelope(
            id=new_id(),
            type=f"training.{kind}.v1",
            source="bina/training",
            key=key,
            time=utc_now(),
            sequence=self._sequence,
        )
        await send(self.producer, self.topic, key, json.dumps(data).encode(), envelope.headers())
        return envelope.id


async def place(lapas: Lapas, person: str, *, from_on: date | None = None) -> Any:
    body = {
        "participant_ref": person,
        "workshop_id": lapas.workshop["id"],
        "role": "tukang",
        "consented_on": str(jakarta_today()),
    }
    return await lapas.as_("workshop_officer").post(
        "/v1/work-assignments", json=body | {"from_on": str(from_on or jakarta_today())}
    )


async def places(lapas: Lapas) -> list[Json]:
    return (
        await done(
            lapas.as_("workshop_officer").get(
                f"/v1/work-assignments?workshop_id={lapas.workshop['id']}"
            )
        )
    )["items"]


async def test_a_place_needs_the_decision_that_training_published(lapas: Lapas, kafka: str) -> None:
    person = f"ref-{new_id()}"
    assert (await place(lapas, person)).json()["code"] == "worker_unknown"
    decision = {
        "participant_ref": person,
        "facility_id": lapas.facility,
        "decided_on": str(jakarta_today()),
    }
    async with Training(lapas, kafka) as training:
        await training.tell(
            "work-eligibility-decided",
            person,
            **decision,
            eligible=True,
            valid_until=str(jakarta_today()),
            title="ignored",
        )
        await eventually(lambda: lapas.stored("workers", _id=person, eligible=True))
        given = await made(place(lapas, person))
        assert (given["to_on"], given["facility_id"]) == (None, lapas.facility)
        await training.tell("work-eligibility-decided", person, **decision, eligible=False)
        await eventually(
            lambda: lapas.stored("work_assignments", participant_ref=person, live=False)
        )
    assert (await place(lapas, person)).json()["code"] == "work_not_allowed"
    assert [
        (task["kind"], task["subject"], task["facts"]["because"]) for task in await lapas.tasks()
    ] == [("assignment_ended", given["id"], "decision")]


@pytest.mark.scenario("INV-14/inbox")
async def test_an_event_that_comes_twice_takes_effect_once_and_a_broken_one_is_parked_not_lost(
    lapas: Lapas, kafka: str
) -> None:
    person, broken = f"ref-{new_id()}", f"ref-{new_id()}"
    decision = {"facility_id": lapas.facility, "decided_on": str(jakarta_today()), "eligible": True}
    async with Training(lapas, kafka) as training:
        await training.tell(
            "work-eligibility-decided",
            broken,
            participant_ref=broken,
            facility_id=lapas.facility,
            eligible="perhaps",
        )
        poison = await training.tell("participant-released", broken, participant_ref=broken)
        event_id = await training.tell(
            "work-eligibility-decided", person, participant_ref=person, **decision
        )
        again = Envelope(
            id=event_id,
            type="training.work-eligibility-decided.v1",
            source="bina/training",
            key=person,
            time=utc_now(),
            sequence=1,
        )
        await send(
            training.producer,
            training.topic,
            person,
            json.dumps({"participant_ref": person} | decision).encode(),
            again.headers(),
        )
        await training.tell(
            "participant-returned", person, participant_ref=person, facility_id=lapas.facility
        )
        await eventually(lambda: lapas.stored("inbox", _id=poison, state="parked"))
        await eventually(lambda: lapas.stored("workers", _id=person))
    assert len(await lapas.stored("inbox", _id=event_id)) == 1
    assert [row["version"] for row in await lapas.stored("workers", _id=person)] == [1]
    assert await lapas.stored("workers", _id=broken) == []


async def test_a_release_or_transfer_ends_the_places_and_an_absence_keeps_them(
    lapas: Lapas,
) -> None:
    gone, moved, away = await lapas.employ(1, 1, 1)
    await lapas.as_service(lambda tx: workers.record_release(gone, tx))
    await lapas.as_service(lambda tx: workers.record_transfer(moved, "LP-ELSEWHERE", tx))
    await lapas.as_service(lambda tx: workers.record_absence(away, tx))
    reasons = {one["participant_ref"]: one["ended_because"] for one in await places(lapas)}
    assert reasons == {gone: "released", moved: "transferred", away: None}
    assert (await place(lapas, gone)).json()["code"] == "worker_not_present"
    assert (await place(lapas, moved)).json()["code"] == "worker_unknown"
    await lapas.as_service(lambda tx: workers.record_presence(gone, lapas.facility, tx))
    assert (await place(lapas, gone)).status_code == 201


async def test_a_decision_that_says_no_and_a_new_place_at_once_never_leave_a_live_place(
    lapas: Lapas,
) -> None:
    today = jakarta_today()

    async def told(person: str, decided_on: date, *, eligible: bool) -> None:
        await lapas.as_service(
            lambda tx: workers.record_decision(
                person, lapas.facility, decided_on, None, tx, eligible=eligible
            )
        )

    for _ in range(8):
        person = f"ref-{new_id()}"
        await told(person, today - timedelta(days=1), eligible=True)
        await together(place(lapas, person), told(person, today, eligible=False))
        assert await lapas.stored("work_assignments", participant_ref=person, live=True) == []


@pytest.mark.scenario("M19/batch")
async def test_a_batch_completed_twice_at_once_is_received_once_and_a_log_at_that_moment_counts_or_is_refused(
    lapas: Lapas,
) -> None:
    officer = lapas.as_("workshop_officer")
    [person] = await lapas.employ(1)
    batch = await made(
        officer.post(
            "/v1/batches",
            json={
                "workshop_id": lapas.workshop["id"],
                "sku": lapas.sku,
                "qty_planned": 7,
                "material_cost_idr": 70_000,
            },
        )
    )
    path = f"/v1/batches/{batch['id']}"
    log = {
        "batch_id": batch["id"],
        "participant_ref": person,
        "work_units": 2,
        "worked_on": str(jakarta_today()),
    }
    await done(officer.post(f"{path}/start"))
    await made(officer.post("/v1/work-logs", json=log))
    await done(officer.post(f"{path}/quality-check"))
    first, second, logged = await together(
        officer.post(f"{path}/completion", json={"qty_good": 7}),
        officer.post(f"{path}/completion", json={"qty_good": 7}),
        officer.post("/v1/work-logs", json=log),
    )
    assert sorted((first.status_code, second.status_code)) == [200, 409]
    assert await lapas.stock() == (7, 0, 0)
    weights = (await done(officer.get(path)))["weights"]
    assert weights == [{"participant_ref": person, "units": 4 if logged.status_code == 201 else 2}]


@pytest.mark.scenario("INV-14/outbox")
async def test_each_log_and_correction_tells_the_whole_month_in_order_under_the_participant(
    lapas: Lapas,
) -> None:
    officer = lapas.as_("workshop_officer")
    [person] = await lapas.employ(1)
    batch = await made(
        officer.post(
            "/v1/batches",
            json={
                "workshop_id": lapas.workshop["id"],
                "sku": lapas.sku,
                "qty_planned": 1,
                "material_cost_idr": 0,
            },
        )
    )
    await done(officer.post(f"/v1/batches/{batch['id']}/start"))
    log = {"batch_id": batch["id"], "participant_ref": person, "worked_on": str(jakarta_today())}
    await made(officer.post("/v1/work-logs", json=log | {"work_units": 4}))
    second = await made(officer.post("/v1/work-logs", json=log | {"work_units": 3}))
    path = f"/v1/work-logs/{second['id']}"
    assert (
        await officer.patch(path, json={"work_units": 1, "reason": "salah hitung"})
    ).status_code == 428
    corrected = await done(
        officer.patch(
            path, json={"work_units": 1, "reason": "salah hitung"}, headers={"if-match": '"1"'}
        )
    )
    assert corrected["edits"][0]["was_units"] == 3
    rows = sorted(await lapas.stored("outbox", key=person), key=lambda row: row["seq"])
    assert [(row["seq"], json.loads(row["body"])["units_total"]) for row in rows] == [
        (1, 4),
        (2, 7),
        (3, 5),
    ]
    assert json.loads(rows[0]["body"]) == {
        "participant_ref": person,
        "workshop_id": lapas.workshop["id"],
        "month": f"{jakarta_today():%Y-%m}",
        "unit_kind": "hour",
        "units_total": 4,
    }
    assert {row["facility_id"] for row in rows} == {lapas.facility}


async def test_a_merge_moves_places_logs_months_and_premi_and_a_repeat_moves_nothing(
    lapas: Lapas, kafka: str
) -> None:
    old, new = await lapas.employ(1, 1)
    await lapas.produce(2, 80_000, 2, 1)
    await lapas.paid_order(1)
    merged = {"from_ref": old, "into_ref": new, "as_of": str(utc_now())}
    async with Training(lapas, kafka) as training:
        first = await training.tell("participant-merged", new, participant_ref=new, **merged)
        second = await training.tell("participant-merged", old, participant_ref=old, **merged)
        for event_id in (first, second):
            await eventually(
                lambda event_id=event_id: lapas.stored("inbox", _id=event_id, state="done")
            )
    later = await lapas.paid_order(1)
    [sale] = await lapas.journals(later)
    assert [
        (leg["account"], leg["amount_idr"])
        for leg in sale["legs"]
        if leg["account"].startswith("utang_premi")
    ] == [(f"utang_premi:{new}", 30_000)]
    moved = await lapas.stored("journals", source=f"merge:{old}")
    assert [
        [(leg["account"], leg["side"], leg["amount_idr"]) for leg in journal["legs"]]
        for journal in moved
    ] == [[(f"utang_premi:{old}", "debit", 20_000), (f"utang_premi:{new}", "credit", 20_000)]]
    for collection in ("work_assignments", "work_logs", "work_months"):
        assert await lapas.stored(collection, participant_ref=old) == []
    assert [month["units"] for month in await lapas.stored("work_months", participant_ref=new)] == [
        3
    ]
    assert [one["to_on"] for one in await places(lapas)].count(None) == 1
    await lapas.balances()


async def test_what_comes_under_the_old_reference_after_a_merge_belongs_to_the_surviving_one(
    lapas: Lapas, kafka: str
) -> None:
    old, new = f"ref-{new_id()}", f"ref-{new_id()}"
    async with Training(lapas, kafka) as training:
        await training.tell(
            "participant-merged",
            old,
            participant_ref=old,
            from_ref=old,
            into_ref=new,
            as_of=str(utc_now()),
        )
        await training.tell(
            "work-eligibility-decided",
            old,
            participant_ref=old,
            facility_id=lapas.facility,
            decided_on=str(jakarta_today()),
            eligible=True,
        )
        await eventually(lambda: lapas.stored("workers", _id=new, eligible=True))
    assert await lapas.stored("workers", _id=old) == []
    assert (await made(place(lapas, old)))["participant_ref"] == new


async def test_whatever_a_rule_depends_on_may_change_meanwhile_and_the_rule_then_sees_it(
    lapas: Lapas,
) -> None:
    """Each command is overtaken, before its commit, by the change of something that it read and does not write."""
    officer, today = lapas.as_("workshop_officer"), jakarta_today()
    [person] = await lapas.employ(1)
    batch = await made(
        officer.post(
            "/v1/batches",
            json={
                "workshop_id": lapas.workshop["id"],
                "sku": lapas.sku,
                "qty_planned": 1,
                "material_cost_idr": 0,
            },
        )
    )
    path = f"/v1/batches/{batch['id']}"
    await done(officer.post(f"{path}/start"))
    await made(
        officer.post(
            "/v1/work-logs",
            json={
                "batch_id": batch["id"],
                "participant_ref": person,
                "work_units": 1,
                "worked_on": str(today),
            },
        )
    )
    await done(officer.post(f"{path}/quality-check"))
    newcomer = f"ref-{new_id()}"
    await lapas.as_service(
        lambda tx: workers.record_decision(
            newcomer, lapas.facility, today - timedelta(days=2), None, tx, eligible=True
        )
    )

    with pytest.raises(WorkNotAllowed):
        await lapas.overtaken(
            lambda tx: workers.assign(
                AssignmentId(new_id()),
                newcomer,
                WorkshopId(lapas.workshop["id"]),
                "tukang",
                today,
                today,
                tx,
            ),
            lambda: lapas.as_service(
                lambda tx: workers.record_decision(
                    newcomer, lapas.facility, today, None, tx, eligible=False
                )
            ),
        )
    [place_of_person] = await lapas.stored("work_assignments", participant_ref=person)
    await lapas.client.app.state.life.db.update(
        "work_assignments", {"_id": place_of_person["_id"]}, {"$set": {"to_on": None}}
    )
    with pytest.raises(NotAssigned):
        await lapas.overtaken(
            lambda tx: batches.log_work(
                WorkLogId(new_id()), BatchId(batch["id"]), person, 1, today, tx
            ),
            lambda: lapas.client.app.state.life.db.update(
                "work_assignments",
                {"_id": place_of_person["_id"]},
                {"$set": {"to_on": str(today - timedelta(days=1)), "live": False}},
            ),
        )
    await lapas.client.app.state.life.db.update(
        "work_assignments", {"_id": place_of_person["_id"]}, {"$set": {"to_on": None, "live": True}}
    )
    with pytest.raises(BatchStateDiffers):
        await lapas.overtaken(
            lambda tx: batches.log_work(
                WorkLogId(new_id()), BatchId(batch["id"]), person, 1, today, tx
            ),
            lambda: done(officer.post(f"{path}/completion", json={"qty_good": 1})),
        )
    with pytest.raises(WorkshopClosed):
        await lapas.overtaken(
            lambda tx: batches.plan(
                BatchId(new_id()),
                WorkshopId(lapas.workshop["id"]),
                lapas.sku,
                1,
                Rupiah(0),
                Rupiah(0),
                tx,
            ),
            lambda: done(officer.post(f"/v1/workshops/{lapas.workshop['id']}/closure")),
        )
