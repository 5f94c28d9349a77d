"""In the prison: the file, the class, the decision, the course; and an officer of another prison who finds nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
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
    create_if_missing,
)
from ops.local.gateway_client import UnexpectedAnswer, eventually

CREATED_STATUSES = (OK, 201)


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
    made = await operator.post(
        f"/v1/facilities/{FACILITY}/snapshots?taken_at={SNAPSHOT_TAKEN_AT.replace('+', '%2B')}",
        content,
        content_type="text/csv",
    )

    async def applied() -> Facts | None:
        found = await operator.get(f"/v1/snapshots/{made['snapshot_id']}")
        return found if found["state"] != "APPLYING" else None

    snapshot = await eventually("snapshot applied", applied)
    errors = await operator.list_all(f"/v1/snapshots/{made['snapshot_id']}/row-errors")
    return {
        "file": SNAPSHOT.name,
        "state": snapshot["state"],
        "rows": snapshot["row_count"],
        "admitted": snapshot["counts"].get("admitted", 0),
        "row_errors": [
            f"baris {one['row']}, {one['column']}: {one['message']}" for one in errors[:3]
        ],
    }


async def open_class(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    titles = (
        {one["title"]: one["programme_id"] for one in await officer.list_all("/v1/programmes")}
        if not context.ids.get("programme")
        else {}
    )
    title = "Pelatihan las SMAW"
    body = {
        "title": title,
        "units": UNITS,
        "scheme_ref": SCHEME,
        "lesson_hours": 160,
        "provider_neutral_name": "LPK Karya Mandiri",
        "completion": {"min_attended_bps": 8000, "required_parts": ["praktik"]},
    }
    context.ids["programme"] = (
        titles.get(title) or (await officer.post("/v1/programmes", body))["programme_id"]
    )
    instructor = f"instruktur-{context.today:%Y%m%d%H%M}"
    run = await officer.post(
        "/v1/classes",
        {
            "facility_id": FACILITY, "programme_id": context.ids["programme"], "batch_no": f"{datetime.now(ZONE):%Y%m%d-%H%M%S}", "starts_on": context.today.isoformat(),
            "ends_on": (context.today + timedelta(days=20)).isoformat(), "seats_total": 16, "location": "Bengkel las", "instructor_refs": [instructor],
        },
    )  # fmt: skip
    context.ids |= {"class": run["class_id"], "instructor": instructor}
    await officer.post(f"/v1/classes/{run['class_id']}/opening")
    return {"class_id": run["class_id"], "title": title, "seats": 16}


async def apply_for_class(context: DemoContext) -> Facts:
    officer = context.caller("case_officer")
    held = [
        one
        for one in await officer.list_all(f"/v1/participants?facility_id={FACILITY}&state=held")
        if one["legal_status"] == "convicted" and not one["absence"]
    ]
    horizon = (context.today + timedelta(days=60)).isoformat()
    for person in sorted(held, key=lambda one: (one["expected_release"] or "", one["source_ref"])):
        if (person["expected_release"] or "") < horizon or await officer.list_all(
            f"/v1/enrolments?participant_ref={person['participant_ref']}"
        ):
            continue
        context.ids["person"] = person["participant_ref"]
        made = await officer.post(
            "/v1/class-applications",
            {"participant_ref": person["participant_ref"], "class_ids": [context.ids["class"]]},
        )
        return {
            "participant_ref": person["participant_ref"],
            "application_id": made["applications"][0]["application_id"],
            "expected_release_month": person["expected_release"][:7],
        }
    raise UnexpectedAnswer("no participant is left who has no enrolment yet", 0, {})


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
            await head.post(f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")
        decisions.append(decision["decision_id"])
    [application] = await officer.list_all(
        f"/v1/class-applications?class_id={context.ids['class']}&participant_ref={context.ids['person']}"
    )
    return {"decisions": decisions, "application": application["state"]}


async def enrol_participant(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    report = await officer.get(
        f"/v1/classes/{context.ids['class']}/suitability/{context.ids['person']}"
    )
    warned = [one["message"] for one in report["reasons"] if one["severity"] == "WARN"]
    made = await officer.post(
        "/v1/enrolments",
        {"class_id": context.ids["class"], "participant_ref": context.ids["person"]}
        | ({"override": "Disetujui Kasi Binadik"} if warned else {}),
    )
    context.ids["enrolment"] = made["enrolment_id"]
    await officer.post(f"/v1/classes/{context.ids['class']}/start")
    return {"enrolment_id": made["enrolment_id"], "state": made["state"], "warnings": warned}


async def attend_sessions(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    minutes = 0
    for clock in ("00:00", "00:01"):  # begun already at whatever time of the day this is played
        session = await officer.post(
            f"/v1/classes/{context.ids['class']}/sessions",
            {"held_on": context.today.isoformat(), "starts_at": clock, "minutes": 15},
        )

        async def marked(session_id: str = session["session_id"]) -> Any:
            answer = await officer.request(
                "POST",
                f"/v1/sessions/{session_id}/attendance",
                {"marks": [{"enrolment_id": context.ids["enrolment"], "reason": "ATTENDED"}]},
            )
            return answer.body if answer.status in CREATED_STATUSES else None

        minutes += (await eventually("session marked", marked))["minutes"]
    return {"sessions": 2, "minutes": minutes}


async def complete_course(context: DemoContext) -> Facts:
    officer = context.caller("training_officer")
    await officer.post(
        f"/v1/enrolments/{context.ids['enrolment']}/results",
        {
            "part": "praktik",
            "passed": True,
            "score": 86,
            "assessor_ref": context.ids["instructor"],
        },
    )
    done = await officer.post(
        f"/v1/enrolments/{context.ids['enrolment']}/completion",
        {"instructor_ref": context.ids["instructor"]},
    )
    return {"enrolment_id": done["enrolment_id"], "state": done["state"]}


async def refuse_others(context: DemoContext) -> Facts:
    stranger = context.caller("training_officer", facility=OTHER_FACILITY)
    foreign = await stranger.request("GET", f"/v1/participants/{context.ids['person']}")
    unknown = await stranger.request("GET", "/v1/participants/00000000-0000-7000-8000-000000000000")
    nobody = await context.client.caller(None).request("GET", "/v1/participants")
    if (foreign.status, unknown.status, nobody.status) != (404, 404, 401):
        raise UnexpectedAnswer("an officer of another prison", foreign.status, foreign.body)
    context.refusals.append(
        {
            "what": "petugas Lapas lain melihat orang ini",
            "answer": foreign.status,
            "title": foreign.body["title"],
        }
    )
    context.refusals.append(
        {"what": "tanpa token", "answer": nobody.status, "title": nobody.body["title"]}
    )
    return {"other_prison": foreign.status, "unknown": unknown.status, "no_token": nobody.status}
