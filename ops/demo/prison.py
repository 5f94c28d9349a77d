"""The steps in the prison: snapshot, class, TPP decision, course, a refused foreign officer.

Not here: steps at other offices.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ops.demo.context import (
    DINAS,
    FACILITY,
    OK,
    OTHER_FACILITY,
    REGENCY,
    SCHEME,
    SNAPSHOT,
    SNAPSHOT_TAKEN_AT,
    UNITS,
    ZONE,
    DemoContext,
    Facts,
    act_on_line,
    create_if_missing,
)
from ops.local.gateway_client import GatewayCaller, UnexpectedAnswer, eventually

CREATED_STATUSES = (OK, 201)
LESSON_HOURS = 8
LESSON_MINUTES = 45


async def _change(caller: GatewayCaller, path: str, body: Any = None) -> Any:
    """POST a change of the aggregate at the parent path, with its current ETag in If-Match."""
    shown = await caller.request("GET", path.rpartition("/")[0])
    return await caller.post(path, body, if_match=shown.headers["etag"])


async def open_facility(context: DemoContext) -> Facts:
    administrator = context.caller("administrator", facility="*")
    body = {
        "facility_id": FACILITY,
        "name": "Lapas Kelas IIB Tanjungpandan",
        "kind": "lapas",
        "time_zone": "Asia/Jakarta",
        "regencies": [REGENCY, "19.06"],
        "labour_office_ids": [DINAS],
        "mapping": FACILITY,
    }
    await create_if_missing(
        administrator,
        "/v1/facilities",
        body | {"live_from": context.today.isoformat()},
        f"/v1/facilities/{FACILITY}",
    )
    return {"facility": FACILITY, "regencies": [REGENCY, "19.06"]}


async def import_snapshot(context: DemoContext) -> Facts:
    operator = context.caller("registry_operator")
    content = SNAPSHOT.read_bytes()
    taken_at = SNAPSHOT_TAKEN_AT.replace("+", "%2B")
    uploaded = await operator.post(
        f"/v1/facilities/{FACILITY}/snapshots?taken_at={taken_at}",
        content,
        content_type="text/csv",
    )
    path = f"/v1/snapshots/{uploaded['snapshot_id']}"

    async def find_applied() -> Facts | None:
        current = await operator.get(path)
        return current if current["state"] != "APPLYING" else None

    snapshot = await eventually("snapshot applied", find_applied)
    errors = await operator.list_all(f"{path}/row-errors")
    return {
        "file": SNAPSHOT.name,
        "state": snapshot["state"],
        "rows": snapshot["row_count"],
        "admitted": snapshot["counts"].get("admitted", 0),
        "row_errors": [
            f"baris {error['row']}, {error['column']}: {error['message']}" for error in errors[:3]
        ],
    }


async def open_class(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    title = "Pelatihan dasar las SMAW"
    context.ids["programme"] = await _find_or_publish_programme(officer, title)
    instructor = f"instruktur-{context.today:%Y%m%d%H%M}"
    planned = await officer.post(
        "/v1/classes",
        {
            "facility_id": FACILITY,
            "programme_id": context.ids["programme"],
            "batch_no": f"{datetime.now(ZONE):%Y%m%d-%H%M%S}",
            "starts_on": context.today.isoformat(),
            "ends_on": context.today.isoformat(),
            "seats_total": 16,
            "location": "Bengkel las",
            "instructor_refs": [instructor],
        },
    )
    class_id = planned["class_id"]
    context.ids |= {"class": class_id, "instructor": instructor}
    await _change(officer, f"/v1/classes/{class_id}/opening")
    return {"class_id": class_id, "title": title, "seats": 16}


async def _find_or_publish_programme(officer: GatewayCaller, title: str) -> str:
    """Return the id of the programme with this title; an earlier run may have published it."""
    for programme in await officer.list_all("/v1/programmes"):
        if (programme["title"], programme["owner"]) == (title, FACILITY):
            return programme["programme_id"]
    body = {
        "title": title,
        "units": UNITS,
        "scheme_ref": SCHEME,
        "lesson_hours": LESSON_HOURS,
        "provider_neutral_name": "LPK Karya Mandiri",
        "completion": {"min_attended_bps": 8000, "required_parts": ["praktik"]},
    }
    return (await officer.post("/v1/programmes", body))["programme_id"]


async def apply_for_class(context: DemoContext) -> Facts:
    officer = context.caller("case_officer")
    person = await _find_applicant(context, officer)
    context.ids["person"] = person["participant_ref"]
    path = f"/v1/classes/{context.ids['class']}/applications"
    line = await act_on_line(officer, path, {"participant_refs": [person["participant_ref"]]})
    return {
        "participant_ref": person["participant_ref"],
        "application_id": line["result_id"],
        "expected_release_month": person["expected_release"][:7],
    }


async def _find_applicant(context: DemoContext, officer: GatewayCaller) -> dict[str, Any]:
    """Return the convicted person without enrolments who is released first after the class."""
    horizon = (context.today + timedelta(days=60)).isoformat()
    held = await officer.list_all(f"/v1/participants?facility_id={FACILITY}&state=held")
    suitable = [
        person
        for person in held
        if person["legal_status"] == "convicted"
        and not person["absence"]
        and (person["expected_release"] or "") >= horizon
    ]
    for person in sorted(suitable, key=_release_order):
        enrolments = f"/v1/enrolments?participant_ref={person['participant_ref']}"
        if not await officer.list_all(enrolments):
            return person
    raise UnexpectedAnswer("every suitable participant has an enrolment already", 0, {})


def _release_order(person: dict[str, Any]) -> tuple[str, str]:
    return person["expected_release"], person["source_ref"]


async def decide_tpp(context: DemoContext) -> Facts:
    officer = context.caller("case_officer")
    head = context.caller("head")
    body = {
        "facility_id": FACILITY,
        "hearing_on": context.today.isoformat(),
        "results": [{"participant_ref": context.ids["person"], "verdict": "RECOMMENDED"}],
        "document_ref": "BA-TPP/2026",
    }
    decisions: list[str] = []
    for scope in ({"scope": "class", "scope_ref": context.ids["class"]}, {"scope": "work"}):
        decision = await officer.post("/v1/tpp-decisions", body | scope)
        if not decision["in_force"]:
            await _change(head, f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")
        decisions.append(decision["decision_id"])
    query = f"class_id={context.ids['class']}&participant_ref={context.ids['person']}"
    [application] = await officer.list_all(f"/v1/class-applications?{query}")
    return {"decisions": decisions, "application": application["state"]}


async def enrol_participant(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    class_path = f"/v1/classes/{context.ids['class']}"
    body: Facts = {"participant_refs": [context.ids["person"]]}
    [candidate] = (await officer.post(f"{class_path}/suitability", body))["items"]
    reasons = candidate["reasons"]
    warnings = [reason["message"] for reason in reasons if reason["severity"] == "WARN"]
    if warnings:
        body["override"] = "Disetujui Kasi Binadik"
    line = await act_on_line(officer, f"{class_path}/enrolments", body)
    context.ids["enrolment"] = line["result_id"]
    await _change(officer, f"{class_path}/start")
    enrolment = await officer.get(f"/v1/enrolments/{line['result_id']}")
    return {
        "enrolment_id": enrolment["enrolment_id"],
        "state": enrolment["state"],
        "warnings": warnings,
    }


async def attend_sessions(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    # one day holds the whole course; midnight is in the past at any time of the day
    session = await officer.post(
        f"/v1/classes/{context.ids['class']}/sessions",
        {
            "held_on": context.today.isoformat(),
            "starts_at": "00:00",
            "minutes": LESSON_HOURS * LESSON_MINUTES,
        },
    )
    mark = partial(_mark, officer, session["session_id"], context.ids["enrolment"])
    await eventually("session marked", mark)
    progress = await officer.get(f"/v1/enrolments/{context.ids['enrolment']}/completion")
    return {
        "sessions": 1,
        "minutes": session["minutes"],
        "attended_minutes": progress["attended_minutes"],
        "lesson_hours": LESSON_HOURS,
    }


async def _mark(officer: GatewayCaller, session_id: str, enrolment_id: str) -> Any:
    """Return the report of the marks, or None while the session has not begun."""
    marks = [{"enrolment_id": enrolment_id, "reason": "ATTENDED"}]
    path = f"/v1/sessions/{session_id}/attendance"
    answer = await officer.request("POST", path, {"marks": marks})
    return answer.body if answer.status in CREATED_STATUSES else None


async def complete_course(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    class_path = f"/v1/classes/{context.ids['class']}"
    enrolment = await officer.get(f"/v1/enrolments/{context.ids['enrolment']}")
    line = {"enrolment_id": enrolment["enrolment_id"], "version": enrolment["version"]}
    result = line | {
        "part": "praktik",
        "passed": True,
        "score": 86,
        "assessor_ref": context.ids["instructor"],
    }
    recorded = await act_on_line(officer, f"{class_path}/results", {"lines": [result]})
    confirmation = {
        "instructor_ref": context.ids["instructor"],
        "lines": [line | {"version": recorded["version"]}],
    }
    await act_on_line(officer, f"{class_path}/completions", confirmation)
    completed = await officer.get(f"/v1/enrolments/{context.ids['enrolment']}")
    return {"enrolment_id": completed["enrolment_id"], "state": completed["state"]}


async def refuse_others(context: DemoContext) -> Facts:
    stranger = context.caller("training_officer", facility=OTHER_FACILITY)
    foreign = await stranger.request("GET", f"/v1/participants/{context.ids['person']}")
    unknown = await stranger.request("GET", "/v1/participants/00000000-0000-7000-8000-000000000000")
    nobody = await context.client.caller(None).request("GET", "/v1/participants")
    if (foreign.status, unknown.status, nobody.status) != (404, 404, 401):
        raise UnexpectedAnswer("an officer of another prison", foreign.status, foreign.body)
    context.record_refusal(
        "petugas Lapas lain melihat orang ini",
        "an officer of another prison reads this person",
        foreign.status,
        title=foreign.body["title"],
    )
    context.record_refusal(
        "tanpa token", "a request without a token", nobody.status, title=nobody.body["title"]
    )
    return {"other_prison": foreign.status, "unknown": unknown.status, "no_token": nobody.status}
