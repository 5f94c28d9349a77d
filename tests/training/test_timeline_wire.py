"""The timeline over HTTP and real Kafka: one order however events arrive, and the same again when it is built anew from the archive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaProducer
from services.training.settings import TrainingSettings
from tests import fakes
from tests.fakes import AsgiClient, eventually
from tests.training import factories
from tests.training.factories import Place


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
    """An event of another service, as its relay sends it."""
    envelope = Envelope(
        id=new_id(),
        type=f"{service}.{kind}.v1",
        source=f"bina/{service}",
        key=ref,
        time=at or utc_now(),
        sequence=seq,
        correlation_id="uji",
    )
    data = json.dumps({"participant_ref": ref} | body).encode()
    await fakes.send(
        producer, f"{settings.namespace}{service}.events", ref, data, envelope.headers()
    )
    return envelope.id


async def timeline(place: Place, ref: str) -> list[dict[str, Any]]:
    return await factories.everything(place.officer, f"/v1/participants/{ref}/timeline")


async def kinds(place: Place, ref: str, *, until: int) -> list[str]:
    """The kinds of the entries once there are so many."""

    async def enough() -> list[str] | None:
        found = [entry["kind"].partition(".")[2] for entry in await timeline(place, ref)]
        return found if len(found) >= until else None

    return await eventually(enough)


@pytest.mark.scenario("T35/timeline")
async def test_a_scripted_life_gives_one_ordered_timeline(
    service: AsgiClient, producer: KafkaProducer, settings: TrainingSettings
) -> None:
    p, double = new_id(), new_id()
    place = await factories.place(service, [p, double])
    ref = place.refs[p]
    programme_id = await factories.programme(
        service, eligibility={"tpp_required": True, "application_required": True}
    )
    class_id = await factories.open_class(place, programme_id=programme_id)
    await place.officer.post(
        "/v1/class-applications", json={"participant_ref": ref, "class_ids": [class_id]}
    )
    hearing = {
        "facility_id": place.facility_id,
        "hearing_on": str(factories.today()),
        "scope": "class",
        "scope_ref": class_id,
        "document_ref": "TPP/1",
    }
    await place.officer.post(
        "/v1/tpp-decisions",
        json=hearing | {"results": [{"participant_ref": ref, "verdict": "RECOMMENDED"}]},
    )
    enrolment_id = await factories.enrolled(place, class_id, p)
    session_id = await factories.session(place, class_id)
    await factories.marked(place, session_id, **{enrolment_id: "ATTENDED"})
    await place.officer.post(f"/v1/enrolments/{enrolment_id}/completion", json={})
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
    await place.list_again(**{double: {"Digabung ke": p}})
    assert await kinds(place, ref, until=12) == [
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
    entries = await timeline(place, ref)
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
        await place.officer.get(f"/v1/participants/{place.refs[double]}/timeline")
    ).status_code == 200
    shown = [
        entry["kind"].partition(".")[2]
        for entry in await factories.everything(place.officer, f"/v1/classes/{class_id}/timeline")
    ]
    assert shown == ["class-opened", "session-held"]


@pytest.mark.scenario("T35/timeline")
async def test_late_and_repeated_events_stand_where_they_belong_once(
    service: AsgiClient, producer: KafkaProducer, settings: TrainingSettings
) -> None:
    p = new_id()
    place = await factories.place(service, [p])
    ref = place.refs[p]
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
    await kinds(place, ref, until=5)
    shown = [entry["facts"].get("certificate_id") for entry in await timeline(place, ref)]
    assert [one for one in shown if one] == ["c-1", "c-2", "c-3"]


@pytest.mark.scenario("T35/rebuild")
async def test_a_rebuild_gives_the_same_timeline(service: AsgiClient) -> None:
    """It restores lost entries and keeps those of other services' events."""
    p = new_id()
    place = await factories.place(service, [p])
    ref = place.refs[p]
    enrolment_id = await factories.enrolled(place, await factories.open_class(place), p)
    await place.list_again(**{p: {"Keberadaan": "RS"}})
    await place.list_again(**{p: {"Keberadaan": ""}})
    ended = await place.officer.post(
        f"/v1/enrolments/{enrolment_id}/end", json={"reason": "WITHDRAWN_OWN_WISH"}
    )
    assert ended.status_code == 200
    await kinds(place, ref, until=8)
    entries = await timeline(place, ref)
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
    assert await timeline(place, ref) == entries
    assert await database.count("timeline", {"source": {"$ne": "bina/training"}}) == foreign


async def test_another_prisons_officer_reads_no_timeline(service: AsgiClient) -> None:
    place = await factories.place(service, [new_id()])
    stranger = factories.officer(service, "UPT-LAIN")
    assert (
        await stranger.get(f"/v1/participants/{next(iter(place.refs.values()))}/timeline")
    ).status_code == 404
    assert (
        await stranger.get(f"/v1/classes/{await factories.open_class(place)}/timeline")
    ).status_code == 404
