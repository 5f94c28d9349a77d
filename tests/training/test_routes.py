"""All routes of training: tokens, permissions, facilities, If-Match, traces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from chassis.errors import PROBLEM
from chassis.ids import new_id
from tests.fakes import AsgiClient, routes
from tests.training import factories
from tests.training.factories import FacilityHarness
from tests.training.snapshot_files import mapping_tables
from tests.training.snapshots import tus_client

BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/facilities/{facility_id}/mappings": mapping_tables("LP-TJP"),
    "PATCH /v1/facilities/{facility_id}": {"name": "x"},
    "POST /v1/facilities/{facility_id}/mapped-values": {
        "field": "release",
        "word": "x",
        "code": "free",
    },
    "POST /v1/snapshots/{snapshot_id}/release": {"reason": "alasan"},
    "POST /v1/snapshots/{snapshot_id}/taken-at-correction": {
        "taken_at": "2026-11-16T14:00:00+07:00",
        "reason": "salah ketik",
    },
    "POST /v1/participants/{participant_ref}/merge": {"into_ref": "x"},
    "PATCH /v1/classes/{class_id}": {"title": "x"},
    "PATCH /v1/classes/{class_id}/seats": {"seats_total": 3},
    "POST /v1/classes/{class_id}/cancellation": {"reason": "alasan"},
    "POST /v1/classes/{class_id}/sessions": {
        "held_on": "2027-01-01",
        "starts_at": "08:00",
        "minutes": 60,
    },
    "POST /v1/classes/{class_id}/enrolments": {"participant_refs": ["x"]},
    "POST /v1/sessions/{session_id}/cancellation": {"reason": "alasan"},
    "POST /v1/sessions/{session_id}/attendance": {
        "marks": [{"enrolment_id": "x", "reason": "SICK"}]
    },
    "PATCH /v1/attendance/{attendance_id}": {"reason": "SICK"},
    "POST /v1/class-applications/{application_id}/withdrawal": {},
    "POST /v1/enrolments/{enrolment_id}/completion": {},
    "POST /v1/enrolments/{enrolment_id}/end": {"reason": "HEALTH"},
    "POST /v1/enrolments/{enrolment_id}/suspensions": {"since": "2027-01-01", "reason": "alasan"},
    "POST /v1/enrolments/{enrolment_id}/results": {
        "part": "x",
        "passed": True,
        "assessor_ref": "x",
    },
    "POST /v1/training-tasks/{task_id}/resolutions": {"resolution": "corrected_at_source"},
    "POST /v1/training-tasks/{task_id}/merge-decision": {"choice": "merge", "reason": "alasan"},
    "PATCH /v1/enrolments/{enrolment_id}/suspensions/{number}": {},
    "POST /v1/programmes/{programme_id}/copies": {},
    "POST /v1/classes/{class_id}/applications": {"participant_refs": ["x"]},
    "POST /v1/classes/{class_id}/suitability": {"participant_refs": ["x"]},
    "POST /v1/classes/{class_id}/results": {
        "lines": [
            {"enrolment_id": "x", "version": 1, "part": "x", "passed": True, "assessor_ref": "x"}
        ]
    },
    "POST /v1/classes/{class_id}/completions": {"lines": [{"enrolment_id": "x", "version": 1}]},
}
TAKEN_AT = "2026-11-16T14:00:00+07:00"
OF_EVERYBODY = ("programme_id",)  # every caller can see what can be taught
# routes that change no existing aggregate: creations, appended facts, roster acts and uploads;
# a part of an upload names its offset instead
WITHOUT_IF_MATCH = frozenset(
    {
        "POST /v1/facilities",
        "POST /v1/facilities/{facility_id}/mappings",
        "POST /v1/facilities/{facility_id}/mapped-values",
        "POST /v1/facilities/{facility_id}/snapshots",
        "POST /v1/facilities/{facility_id}/snapshot-uploads",
        "PATCH /v1/snapshot-uploads/{upload_id}",
        "POST /v1/programmes",
        "POST /v1/programmes/{programme_id}/copies",
        "POST /v1/classes",
        "POST /v1/classes/{class_id}/sessions",
        "POST /v1/classes/{class_id}/applications",
        "POST /v1/classes/{class_id}/suitability",
        "POST /v1/classes/{class_id}/results",
        "POST /v1/classes/{class_id}/completions",
        "POST /v1/participants/names",
        "POST /v1/classes/{class_id}/enrolments",
        "POST /v1/sessions/{session_id}/attendance",
        "POST /v1/class-applications",
        "POST /v1/tpp-decisions",
        "POST /v1/enrolments",
    }
)


@pytest.fixture(scope="module")
async def known(service: AsgiClient) -> tuple[FacilityHarness, dict[str, str]]:
    """Create a facility with one of everything; return ids by path parameter."""
    person = new_id()
    other = new_id()
    facility = await factories.create_harness(service, [person, other])
    class_id = await factories.open_class(facility)
    enrolment_id = await factories.enrol(facility, class_id, person)
    session_id = await factories.plan_session(facility, class_id)
    await factories.mark(facility, session_id, **{enrolment_id: "SICK"})
    (record,) = await factories.list_all(facility.officer, f"/v1/sessions/{session_id}/attendance")
    form = await facility.officer.post(
        "/v1/class-applications",
        json={"participant_ref": facility.refs[other], "class_ids": [class_id]},
    )
    verdict = [{"participant_ref": facility.refs[person], "verdict": "RECOMMENDED"}]
    hearing = {
        "facility_id": facility.facility_id,
        "hearing_on": str(factories.local_today()),
        "scope": "work",
        "results": verdict,
        "document_ref": "x",
    }
    decision = await facility.officer.post("/v1/tpp-decisions", json=hearing)
    await facility.list_again(**{other: {"Ket. Keluar": "XYZ"}})
    (task,) = await factories.list_all(facility.officer, "/v1/training-tasks")
    snapshots = await factories.list_all(
        facility.officer, f"/v1/facilities/{facility.facility_id}/snapshots"
    )
    registry = factories.officer(service, facility.facility_id, "registry_operator")
    upload = await tus_client.begun(registry, facility.facility_id, 9, TAKEN_AT)
    return facility, {
        "facility_id": facility.facility_id,
        "snapshot_id": snapshots[0]["snapshot_id"],
        "upload_id": upload.rpartition("/")[2],
        "participant_ref": facility.refs[person],
        "class_id": class_id,
        "session_id": session_id,
        "attendance_id": record["attendance_id"],
        "application_id": form.json()["applications"][0]["application_id"],
        "decision_id": decision.json()["decision_id"],
        "enrolment_id": enrolment_id,
        "task_id": task["id"],
        "number": "1",
    }


def own_routes(client: AsgiClient) -> list[tuple[str, str]]:
    """Return the routes of training itself, without the operator routes of every service."""
    all_routes = [
        (method, route.path)
        for route in routes(client.app)
        for method in sorted(route.methods or ())
    ]
    return [
        (method, path)
        for method, path in all_routes
        if path.startswith("/v1") and not path.startswith("/v1/operations/")
    ]


def of_one_facility(client: AsgiClient) -> list[tuple[str, str]]:
    """Return the routes about something that a facility owns."""
    return [
        (method, path)
        for method, path in own_routes(client)
        if "{" in path and not any(f"{{{name}}}" in path for name in OF_EVERYBODY)
    ]


async def ask(client: AsgiClient, method: str, path: str, ids: dict[str, str], **more: Any) -> Any:
    params = {"taken_at": TAKEN_AT, "purpose": "class-list"}
    return await client.request(
        method,
        path.format(**ids),
        json=BODIES.get(f"{method} {path}"),
        params=params,
        headers={"if-match": "1"},
        **more,
    )


@pytest.mark.scenario("T19/training")
@pytest.mark.scenario("T19/services")
async def test_every_route_hides_a_facility_from_officers_of_another(
    service: AsgiClient, known: tuple[FacilityHarness, dict[str, str]]
) -> None:
    _, ids = known
    stranger = factories.officer(service, "UPT-LAIN")
    nobody = service.as_("training_officer")
    walked = of_one_facility(service)
    assert len(walked) > 40
    for method, path in walked:
        for caller in (stranger, nobody):
            answer = await ask(caller, method, path, ids)
            assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM), (
                method,
                path,
                answer.text,
            )


@pytest.mark.scenario("T19/training")
@pytest.mark.scenario("T19/services")
async def test_every_route_requires_a_token_and_its_own_permission(
    service: AsgiClient, known: tuple[FacilityHarness, dict[str, str]]
) -> None:
    facility, ids = known
    everything = service.caller.permissions
    for method, path in [
        *own_routes(service),
        ("POST", "/internal/identities"),
        ("POST", "/internal/person-matches"),
    ]:
        answer = await ask(facility.officer, method, path, ids | {"programme_id": "x"}, token="")
        assert answer.status_code == 401, (method, path)
    for method, path in own_routes(service):
        lacking = service.as_(
            "training_officer",
            permissions=everything - {f"{method} {path}"},
            facility=facility.facility_id,
        )
        answer = await ask(lacking, method, path, ids | {"programme_id": "x"})
        assert answer.status_code == 403, (method, path)


@pytest.mark.scenario("T19/services")
async def test_every_change_of_an_existing_aggregate_requires_if_match(
    service: AsgiClient, known: tuple[FacilityHarness, dict[str, str]]
) -> None:
    _, ids = known
    administrator = factories.administrator(service)
    for method, path in own_routes(service):
        name = f"{method} {path}"
        if method == "GET" or name in WITHOUT_IF_MATCH:
            continue
        body = BODIES.get(name)
        if path.endswith("/editions"):
            unit = {"code": "A.1", "title": "x"}
            body = {"title": "x", "units": [unit], "lesson_hours": 1}
        answer = await administrator.request(
            method, path.format(**ids, programme_id="x"), json=body
        )
        assert answer.status_code == 428, (name, answer.text)


@pytest.mark.scenario("T27/traces")
async def test_traces_of_an_import_and_of_reading_an_identity_name_nobody(
    service: AsgiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer("test"))
    person = new_id()
    nik = "9904014503900077"
    facility = await factories.create_harness(
        service, {person: {"NIK": nik, "JK": "P", "Nama Lengkap": "Zubaidah Ujicoba"}}
    )
    shown = await facility.officer.get(
        f"/v1/participants/{facility.refs[person]}/identity", params={"purpose": "class-list"}
    )
    assert shown.json()["name"] == "Zubaidah Ujicoba"
    finished = spans.get_finished_spans()
    text = json.dumps(
        [
            [
                span.name,
                dict(span.attributes or {}),
                [[event.name, dict(event.attributes or {})] for event in span.events],
            ]
            for span in finished
        ],
        default=str,
    )
    assert len(finished) > 5
    assert "Zubaidah" not in text
    assert nik not in text
