"""Timelines over HTTP and real Kafka: one order, in whatever order events arrive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.messaging.kafka import KafkaProducer
from services.training.settings import TrainingSettings
from tests import fakes
from tests.fakes import AsgiClient, eventually
from tests.training import factories
from tests.training.factories import FacilityHarness


@pytest.fixture(scope="module")
async def producer(settings: TrainingSettings) -> AsyncIterator[KafkaProducer]:
    made = KafkaProducer(settings.kafka, "test")
    await made.start()
    yield made
    await made.stop()


async def send(
    producer: KafkaProducer,
    settings: TrainingSettings,
    service: str,
    kind: str,
    ref: str,
    body: dict[str, Any],
    *,
    seq: int = 1,
    at: datetime | None = None,
) -> str:
    """Send an event of another service, as its relay does; return its id."""
    envelope = factories.envelope(f"{service}.{kind}.v1", ref, seq=seq, at=at)
    data = json.dumps({"participant_ref": ref} | body).encode()
    await fakes.send(
        producer, f"{settings.namespace}{service}.events", ref, data, envelope.headers()
    )
    return envelope.id


async def read_timeline(facility: FacilityHarness, ref: str) -> list[dict[str, Any]]:
    return await factories.list_all(facility.officer, f"/v1/participants/{ref}/timeline")


async def wait_for_kinds(facility: FacilityHarness, ref: str, *, until: int) -> list[str]:
    """Return the kinds of the entries once there are `until` of them."""

    async def enough() -> list[str] | None:
        names = [entry["kind"].partition(".")[2] for entry in await read_timeline(facility, ref)]
        return names if len(names) >= until else None

    return await eventually(enough)


@pytest.mark.scenario("T35/timeline")
async def test_a_scripted_life_gives_one_ordered_timeline(
    service: AsgiClient, producer: KafkaProducer, settings: TrainingSettings
) -> None:
    person = new_id()
    double = new_id()
    facility = await factories.create_harness(service, [person, double])
    ref = facility.refs[person]
    programme_id = await factories.publish_programme(
        service, eligibility={"tpp_required": True, "application_required": True}
    )
    class_id = await factories.open_class(facility, programme_id=programme_id)
    await facility.officer.post(
        "/v1/class-applications", json={"participant_ref": ref, "class_ids": [class_id]}
    )
    hearing = {
        "facility_id": facility.facility_id,
        "hearing_on": str(factories.local_today()),
        "scope": "class",
        "scope_ref": class_id,
        "document_ref": "TPP/1",
    }
    await facility.officer.post(
        "/v1/tpp-decisions",
        json=hearing | {"results": [{"participant_ref": ref, "verdict": "RECOMMENDED"}]},
    )
    enrolment_id = await factories.enrol(facility, class_id, person)
    session_id = await factories.plan_session(facility, class_id)
    await factories.mark(facility, session_id, **{enrolment_id: "ATTENDED"})
    await factories.change(facility.officer, f"/v1/enrolments/{enrolment_id}/completion", {})
    certificate: dict[str, Any] = {
        "certificate_id": "c-1",
        "scheme_id": "s-1",
        "scheme_title": "Juru Las",
        "units": [],
        "valid_from": "2026-11-24",
        "valid_until": "2029-11-24",
        "digest": "0",
    }
    await send(producer, settings, "certification", "certificate-issued", ref, certificate)
    await send(
        producer,
        settings,
        "manpower",
        "placement-confirmed",
        ref,
        {"placement_id": "p-1", "kind": "employee", "started_on": "2026-12-01", "a_new_field": 1},
    )
    await facility.list_again(**{double: {"Digabung ke": person}})
    assert await wait_for_kinds(facility, ref, until=12) == [
        "participant-admitted",
        "participant-admitted",
        "participant-merged",
        "release-planned",
        "release-planned",
        "application-submitted",
        "application-approved",
        "participant-enrolled",
        "attendance-recorded",
        "course-completed",
        "certificate-issued",
        "placement-confirmed",
    ]
    entries = await read_timeline(facility, ref)
    assert [entry["occurred_at"] for entry in entries] == sorted(
        entry["occurred_at"] for entry in entries
    )
    assert (
        next(entry for entry in entries if entry["kind"] == "certification.certificate-issued")[
            "facts"
        ]["scheme_title"]
        == "Juru Las"
    )
    assert (
        await facility.officer.get(f"/v1/participants/{facility.refs[double]}/timeline")
    ).status_code == 200
    shown = [
        entry["kind"].partition(".")[2]
        for entry in await factories.list_all(facility.officer, f"/v1/classes/{class_id}/timeline")
    ]
    assert shown == ["class-opened", "session-held"]


@pytest.mark.scenario("T35/timeline")
async def test_late_and_repeated_events_are_in_order_once(
    service: AsgiClient, producer: KafkaProducer, settings: TrainingSettings
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    ref = facility.refs[person]
    now = datetime.now(UTC)
    for seq, hours in ((3, 1), (1, 3), (2, 2)):
        await send(
            producer,
            settings,
            "certification",
            "certificate-suspended",
            ref,
            {"certificate_id": f"c-{seq}", "scheme_id": "s"},
            seq=seq,
            at=now - timedelta(hours=hours),
        )
    await wait_for_kinds(facility, ref, until=5)
    shown = [entry["facts"].get("certificate_id") for entry in await read_timeline(facility, ref)]
    assert [certificate_id for certificate_id in shown if certificate_id] == ["c-1", "c-2", "c-3"]


@pytest.mark.scenario("T35/rebuild")
async def test_a_rebuild_gives_the_same_timeline(service: AsgiClient) -> None:
    """It restores lost entries and keeps those of other services' events."""
    person = new_id()
    facility = await factories.create_harness(service, [person])
    ref = facility.refs[person]
    enrolment_id = await factories.enrol(facility, await factories.open_class(facility), person)
    await facility.list_again(**{person: {"Keberadaan": "RS"}})
    await facility.list_again(**{person: {"Keberadaan": ""}})
    ended = await factories.change(
        facility.officer, f"/v1/enrolments/{enrolment_id}/end", {"reason": "WITHDRAWN_OWN_WISH"}
    )
    assert ended.status_code == 200
    await wait_for_kinds(facility, ref, until=8)
    entries = await read_timeline(facility, ref)
    database = factories.database(service)
    foreign = await database.count("timeline", {"source": {"$ne": "bina/training"}})
    await database.delete("timeline", {"subject_ref": ref})
    operator = service.as_("operator", subject="operator-1")
    cursor = None
    while True:
        answer = await operator.post(
            "/v1/operations/training/projections/timeline/rebuild", json={"cursor": cursor}
        )
        assert answer.status_code == 200, answer.text
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert await read_timeline(facility, ref) == entries
    assert await database.count("timeline", {"source": {"$ne": "bina/training"}}) == foreign


async def test_another_prisons_officer_reads_no_timeline(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id()])
    stranger = factories.officer(service, "UPT-LAIN")
    assert (
        await stranger.get(f"/v1/participants/{next(iter(facility.refs.values()))}/timeline")
    ).status_code == 404
    assert (
        await stranger.get(f"/v1/classes/{await factories.open_class(facility)}/timeline")
    ).status_code == 404
