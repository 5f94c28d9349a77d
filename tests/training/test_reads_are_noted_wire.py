"""Whoever reads about persons is noted in the transaction of the read, with the persons: every route whose answer names one."""

from __future__ import annotations

from chassis.ids import new_id
from services.training.app import create_app
from tests.fakes import AsgiClient, routes
from tests.training import factories

OF_NOBODY = {  # answers without any person
    "/v1/facilities", "/v1/facilities/{facility_id}", "/v1/facilities/{facility_id}/snapshots", "/v1/snapshots/{snapshot_id}", "/v1/snapshots/{snapshot_id}/row-errors",
    "/v1/programmes", "/v1/programmes/{programme_id}", "/v1/classes", "/v1/classes/{class_id}", "/v1/classes/{class_id}/sessions", "/v1/sessions/{session_id}",
    "/v1/classes/{class_id}/timeline",
}  # fmt: skip
OTHERWISE_PROVED = {  # notes of their own: identities and timelines; TPP and the officers' inbox need a story of their own
    "/v1/participants/{participant_ref}/identity", "/v1/participants/{participant_ref}/timeline", "/v1/tpp-decisions", "/v1/tpp-decisions/{decision_id}",
    "/v1/training-tasks", "/v1/training-tasks/{item_id}", "/v1/class-applications/{application_id}",
}  # fmt: skip


async def test_every_read_about_a_person_leaves_a_row_that_names_the_person_and_the_reader(
    service: AsgiClient,
) -> None:
    p = new_id()
    place = await factories.place(service, [p])
    ref, class_id = place.refs[p], await factories.open_class(place)
    enrolment_id = await factories.enrolled(place, class_id, p)
    session_id = await factories.session(place, class_id)
    assert (await factories.marked(place, session_id, **{enrolment_id: "SICK"})).status_code == 200
    snapshots = await factories.everything(
        place.officer, f"/v1/facilities/{place.facility_id}/snapshots"
    )
    reads = {
        "/v1/participants": "/v1/participants",
        "/v1/participants/{participant_ref}": f"/v1/participants/{ref}",
        "/v1/snapshots/{snapshot_id}/movements": f"/v1/snapshots/{snapshots[0]['snapshot_id']}/movements",
        "/v1/sessions/{session_id}/attendance": f"/v1/sessions/{session_id}/attendance",
        "/v1/class-applications": "/v1/class-applications",
        "/v1/enrolments": "/v1/enrolments",
        "/v1/enrolments/{enrolment_id}": f"/v1/enrolments/{enrolment_id}",
        "/v1/enrolments/{enrolment_id}/completion": f"/v1/enrolments/{enrolment_id}/completion",
        "/v1/classes/{class_id}/suitability/{participant_ref}": f"/v1/classes/{class_id}/suitability/{ref}",
    }
    reader, audit = (
        factories.officer(service, place.facility_id, subject=f"reader-{p}"),
        factories.database(service),
    )
    for template, path in reads.items():
        before = await audit.count("audit", {"actor": f"reader-{p}"})
        answer = await reader.get(path)
        assert answer.status_code == 200, answer.text
        rows = await audit.find("audit", {"actor": f"reader-{p}"}, sort=[("_id", 1)])
        assert len(rows) == before + 1, template
        named = {rows[-1]["subject"], rows[-1].get("person"), *rows[-1].get("refs", ())}
        assert ref in named or answer.json().get("items") == [], template
        assert rows[-1]["facility"] == place.facility_id, template
    read = {
        route.path
        for route in routes(create_app(service.app.state.service.settings))
        if route.methods == {"GET"} and not route.path.startswith("/v1/operations/")
    }
    assert (
        read - OF_NOBODY - OTHERWISE_PROVED - {path for path in read if not path.startswith("/v1/")}
        == reads.keys()
    )
