"""Every route whose answer names a person writes an audit row in the same transaction."""

from __future__ import annotations

from chassis.ids import new_id
from services.training.app import create_app
from tests.fakes import AsgiClient, routes
from tests.training import factories

OF_NOBODY = {  # answers without any person
    "/v1/facilities",
    "/v1/facilities/{facility_id}",
    "/v1/facilities/{facility_id}/snapshots",
    "/v1/snapshots/{snapshot_id}",
    "/v1/snapshots/{snapshot_id}/row-errors",
    "/v1/snapshot-uploads/{upload_id}",
    "/v1/programmes",
    "/v1/programmes/{programme_id}",
    "/v1/classes",
    "/v1/classes/{class_id}",
    "/v1/classes/{class_id}/sessions",
    "/v1/sessions/{session_id}",
    "/v1/classes/{class_id}/timeline",
    "/v1/training-tasks/summary",
}
PROVED_ELSEWHERE = {  # reads that have tests of their own, or need a longer story
    "/v1/participants/{participant_ref}/identity",
    "/v1/participants/{participant_ref}/timeline",
    "/v1/tpp-decisions",
    "/v1/tpp-decisions/{decision_id}",
    "/v1/training-tasks",
    "/v1/training-tasks/{task_id}",
    "/v1/training-tasks/{task_id}/resolutions",
    "/v1/class-applications/{application_id}",
}


async def test_every_read_about_a_person_is_audited(
    service: AsgiClient,
) -> None:
    person = new_id()
    facility = await factories.create_harness(service, [person])
    ref = facility.refs[person]
    class_id = await factories.open_class(facility)
    enrolment_id = await factories.enrol(facility, class_id, person)
    session_id = await factories.plan_session(facility, class_id)
    assert (await factories.mark(facility, session_id, **{enrolment_id: "SICK"})).status_code == 200
    snapshots = await factories.list_all(
        facility.officer, f"/v1/facilities/{facility.facility_id}/snapshots"
    )
    snapshot_id = snapshots[0]["snapshot_id"]
    reads = {
        "/v1/participants": "/v1/participants",
        "/v1/participants/{participant_ref}": f"/v1/participants/{ref}",
        "/v1/snapshots/{snapshot_id}/movements": f"/v1/snapshots/{snapshot_id}/movements",
        "/v1/sessions/{session_id}/attendance": f"/v1/sessions/{session_id}/attendance",
        "/v1/class-applications": "/v1/class-applications",
        "/v1/enrolments": "/v1/enrolments",
        "/v1/enrolments/{enrolment_id}": f"/v1/enrolments/{enrolment_id}",
        "/v1/enrolments/{enrolment_id}/completion": f"/v1/enrolments/{enrolment_id}/completion",
        "/v1/classes/{class_id}/suitability/{participant_ref}": (
            f"/v1/classes/{class_id}/suitability/{ref}"
        ),
    }
    reader = factories.officer(service, facility.facility_id, subject=f"reader-{person}")
    audit = factories.database(service)
    for template, path in reads.items():
        before = await audit.count("audit", {"actor": f"reader-{person}"})
        answer = await reader.get(path)
        assert answer.status_code == 200, answer.text
        rows = await audit.find("audit", {"actor": f"reader-{person}"}, sort=[("_id", 1)])
        assert len(rows) == before + 1, template
        named = {rows[-1]["subject"], rows[-1].get("person"), *rows[-1].get("refs", ())}
        assert ref in named or answer.json().get("items") == [], template
        assert rows[-1]["facility"] == facility.facility_id, template
    own_reads = {
        route.path
        for route in routes(create_app(service.app.state.service.settings))
        if route.methods == {"GET"}
        and route.path.startswith("/v1/")
        and not route.path.startswith("/v1/operations/")
    }
    assert own_reads - OF_NOBODY - PROVED_ELSEWHERE == reads.keys()
