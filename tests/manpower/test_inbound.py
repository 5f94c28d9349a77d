"""Events of other services: any order, duplicates, early events, one read a batch."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope, Inbound
from chassis.persistence.mongo import Mongo
from services.manpower.inbound import HANDLERS, CertificateRevoked, ProceedsSplit, WorkLogged
from services.manpower.transaction import Transaction
from tests.fakes import eventually
from tests.manpower.fakes import UNIT, iso
from tests.manpower.harness import Json, RegionHarness, done, refused

HANDLERS_BY_EVENT = {
    event_class: handler for topic in HANDLERS.values() for event_class, handler in topic.items()
}


async def test_events_about_an_unknown_person_wait_for_the_admission(region: RegionHarness) -> None:
    ref = new_id()
    early_ids = [
        await region.publish_certificate(ref, new_id()),
        await region.publish_work(ref, units_total=12),
    ]
    waiting = {"_id": {"$in": early_ids}, "waits_for": ref}

    async def both_wait() -> bool:
        return await region.db.count("early", waiting) == len(early_ids)

    await eventually(both_wait)
    await region.publish_admission(ref)
    await region.known(ref, **{"skills.0": {"$exists": True}, "work.0": {"$exists": True}})
    assert await region.db.count("early", {"waits_for": ref}) == 0
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert body["experience"] == [
        {"workshop_id": "w-1", "unit_kind": "hour", "units_total": 12, "months": 1}
    ]


async def test_a_duplicate_event_takes_effect_once(region: RegionHarness) -> None:
    ref = await region.admitted(regency=None)
    event_id = await region.publish_certificate(ref, new_id())
    await region.handled(event_id)
    version = (await region.known(ref))["version"]
    await region.publish("certification.certificate-issued.v1", ref, {}, event_id=event_id)
    await region.handled(await region.publish_certificate(ref, new_id()))
    assert (await region.known(ref))["version"] == version + 1


async def stay_after(region: RegionHarness, movements: list[tuple[int, str, Json]]) -> Json:
    """Publish the movements (day, event, body) of a new person; return where the person is."""
    ref = new_id()
    start = utc_now() - timedelta(days=9)
    event_id = ""
    for day, event, body in movements:
        at = start + timedelta(days=day)
        common = {"participant_ref": ref, "effective_on": "2026-01-05", "as_of": iso(at)}
        event_id = await region.publish(
            f"training.participant-{event}.v1", ref, common | body, at=at, sequence=day + 1
        )
    await region.handled(event_id)
    stored = await region.known(ref)
    return {
        "custody": stored["stay"]["custody"],
        "kind": stored["stay"]["kind"],
        "facility": stored["visibility"]["facility_id"],
        "admitted_on_day": (stored["admitted_at"] - start).days,
    }


@pytest.mark.scenario("P13/movements")
async def test_movements_in_any_order_end_with_the_last_of_them(region: RegionHarness) -> None:
    """The first movement of each shuffle comes again at the end."""
    first = region.facility
    second = f"{first}-2"
    movements: list[tuple[int, str, Json]] = [
        (0, "admitted", {"facility_id": first, "kind": "new"}),
        (1, "transferred", {"from_facility_id": first, "to_facility_id": second}),
        (2, "released", {"facility_id": second, "kind": "free"}),
        (3, "admitted", {"facility_id": second, "kind": "readmission"}),
        (4, "transferred", {"from_facility_id": second, "to_facility_id": first}),
    ]
    shuffle = random.Random(7)  # noqa: S311 - a fixed seed makes a failure repeatable
    for _ in range(4):
        order = shuffle.sample(movements, len(movements))
        assert await stay_after(region, [*order, order[0]]) == {
            "custody": "inside",
            "kind": "transfer",
            "facility": first,
            "admitted_on_day": 3,
        }


@pytest.mark.scenario("P17/skills")
async def test_each_event_of_a_certificate_changes_the_skills_at_once(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    certificate = new_id()
    await region.consents(ref, fields=("skills",))
    await region.publish_certificate(ref, certificate)
    await region.known(ref, **{"skills.0.certificate_id": certificate})
    assert await shown_units(region, ref) == [[UNIT]]
    for verb, units in (("suspended", []), ("reinstated", [[UNIT]]), ("revoked", [])):
        await region.handled(await region.publish_standing(ref, certificate, verb))
        assert await shown_units(region, ref) == units
    record = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert [skill["standing"] for skill in record["skills"]] == ["revoked"]


async def shown_units(region: RegionHarness, ref: str) -> list[list[str]]:
    """Return the unit codes of each certificate that the Dinas sees."""
    body = await done(region.dinas().get(f"/v1/candidates/{ref}"))
    return [[unit["code"] for unit in skill["units"]] for skill in body["skills"]]


@pytest.mark.scenario("P17/skills")
async def test_a_revoked_certificate_flags_the_open_applications_that_need_it(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    certificate = new_id()
    await region.publish_certificate(ref, certificate)
    await region.known(ref, **{"skills.0": {"$exists": True}})
    await region.consents(ref, "employer_share", fields=("skills",))
    application = await region.applies(ref, await region.vacancy(units=(UNIT,)))
    path = f"/v1/job-applications/{application}"
    for verb, flags in (
        ("suspended", ["skill_lost"]),
        ("reinstated", []),
        ("revoked", ["skill_lost"]),
    ):
        await region.handled(await region.publish_standing(ref, certificate, verb))
        assert (await done(region.officer().get(path)))["flags"] == flags
    assert "flags" not in await done(region.employer().get(path))


async def test_after_death_all_consents_end_and_all_applications_are_withdrawn(
    region: RegionHarness,
) -> None:
    ref, application = await region.applicant(await region.vacancy())
    await region.handled(await region.publish_release(ref, kind="death"))
    assert await region.state_of(application) == "WITHDRAWN"
    path = f"/v1/consents?candidate_id={ref}"
    consents = (await done(region.officer().get(path)))["items"]
    assert {consent["ending"] for consent in consents} == {"person_gone"}
    await refused(region.dinas().get(f"/v1/candidates/{ref}"), 404, "candidate_unknown")


async def test_a_transfer_takes_consents_and_applications_to_the_new_facility(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, "employer_share", fields=("name",))
    application = await region.applies(ref, await region.vacancy())
    new_facility = f"{region.facility}-2"
    await region.handled(await region.publish_transfer(ref, new_facility))
    for path in (
        f"/v1/candidates/{ref}",
        f"/v1/consents/{consent['id']}",
        f"/v1/job-applications/{application}",
    ):
        assert (await region.officer().get(path)).status_code == 404
        assert (await region.officer(facility=new_facility).get(path)).status_code == 200


def received(event_class: type[Inbound], body: Json) -> Inbound:
    """Return an event of this class as the consumer gets it."""
    event_id = new_id()
    envelope = Envelope(
        id=event_id,
        type=event_class.type,
        source="bina/tests",
        key=str(body.get("participant_ref", event_id)),
        time=utc_now(),
        sequence=100,
        facility_id="LP-TJP",
    )
    return event_class.model_validate(body).with_envelope(envelope)


def events_about(refs: list[str]) -> list[Inbound]:
    """Return two events about each person, and a split of proceeds beside each."""
    events: list[Inbound] = []
    for number, ref in enumerate(refs):
        work = {"workshop_id": "w-1", "month": "2026-10", "unit_kind": "hour", "units_total": 1}
        split = {"workshop_id": f"w-{number}", "product_class": "roti", "amounts_idr": {"premi": 1}}
        events += [
            received(CertificateRevoked, {"participant_ref": ref, "certificate_id": "c-1"}),
            received(WorkLogged, {"participant_ref": ref} | work),
            received(ProceedsSplit, split),
        ]
    return events


async def test_a_batch_makes_one_read_of_each_collection(
    region: RegionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handlers find what their events declare with `reads` in the identity map."""
    refs = [await region.admitted() for _ in range(3)]
    events = events_about(refs)
    reads: Counter[str] = Counter()
    find = Mongo.find

    async def count_find(db: Mongo, collection: str, *values: Any, **more: Any) -> Any:
        reads[collection] += 1
        return await find(db, collection, *values, **more)

    monkeypatch.setattr(Mongo, "find", count_find)

    async def handle_batch(tx: Transaction) -> Counter[str]:
        ids_by_store: dict[Any, set[str]] = defaultdict(set)
        for event in events:
            for store, aggregate_id in event.reads():
                ids_by_store[store].add(aggregate_id)
        reads.clear()
        for store, ids in ids_by_store.items():
            await tx.store(store).many(ids, scoped=False)
        for event in events:
            await HANDLERS_BY_EVENT[type(event)](event, tx)
        return reads.copy()

    counted = await region.as_service(handle_batch)
    assert counted["candidates"] == 1
    assert counted["monthly_production"] == 1


def test_every_event_about_one_aggregate_declares_its_read() -> None:
    """A merge reads two persons, whom it resolves itself."""
    silent = {
        event_class.__name__
        for event_class in HANDLERS_BY_EVENT
        if event_class.reads is Inbound.reads
    }
    assert silent == {"ParticipantMerged"}
