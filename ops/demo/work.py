"""Steps at the manpower office: consent, disclosure, vacancy, placement.

Not here: steps at other offices.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from ops.demo.context import (
    DINAS,
    EMPLOYER,
    FACILITY,
    OK,
    REGENCY,
    UNITS,
    DemoContext,
    Facts,
    create_if_missing,
)
from ops.local.gateway_client import GatewayCaller, UnexpectedAnswer, eventually

AGENCY_TERMS = {
    "regency_codes": [REGENCY],
    "purpose": "Penempatan kerja",
    "legal_basis": "Nota kesepahaman 01/2026",
}
AGENCIES = (
    {
        "id": DINAS,
        "kind": "dinas_tk",
        "name": "Dinas KUKMPTK Belitung",
        "facility_ids": [FACILITY],
    },
    {
        "id": EMPLOYER,
        "kind": "employer_partner",
        "name": "Bengkel Las Belitung",
        "nib": "1234567890123",
    },
)
CONSENTS = (
    (
        "dinas_registration",
        DINAS,
        ["name", "regency", "skills", "availability", "steps", "employer", "placement", "wage"],
    ),
    ("employer_share", EMPLOYER, ["name", "skills", "wage"]),
)
CONSENT_DAYS = 90
WAGE_BAND = {"from_idr": 3_500_000, "to_idr": 4_500_000}


async def share_with_dinas(context: DemoContext) -> Facts:
    """Register the agencies, record consents, and read the candidate as the Dinas."""
    await _register_agencies(context)
    officer = context.caller("case_officer")
    person = await _certified_candidate(context, officer)
    await officer.request_expecting(
        "PATCH",
        f"/v1/candidates/{person['id']}",
        {"regency_code": REGENCY},
        if_match=_etag(person),
    )
    await _give_consents(officer, person["id"])
    dinas = context.caller("dinas_placement", "partner", agency=DINAS, regency=REGENCY)
    item = await _find_in_feed(dinas, person["id"])
    shown = await dinas.get(f"/v1/candidates/{person['id']}")
    name_hash = hashlib.sha256(shown["name"].encode()).hexdigest()
    if name_hash != context.ids["name_hash"]:
        raise UnexpectedAnswer("the name disclosed to the Dinas", 0, {})
    return {
        "feed_item": item["type"],
        "available_from": shown.get("available_from"),
        "skills": [skill["scheme_title"] for skill in shown["skills"]],
        "name_disclosed": True,
    }


async def confirm_placement(context: DemoContext) -> Facts:
    """Post a vacancy, take an application to its acceptance, and confirm the placement."""
    employer = context.caller("employer", "partner", employer=EMPLOYER)
    officer = context.caller("case_officer")
    application = await _accepted_application(context, employer, officer)
    placement = await officer.post(
        "/v1/placements",
        {
            "application_id": application["id"],
            "kind": "employee",
            "started_on": context.today.isoformat(),
            "wage_band": WAGE_BAND,
            "permit_number": "SK-ASIMILASI-01/2026",
        },
        if_match=_etag(application),
    )

    async def find_timeline() -> list[Facts] | None:
        entries = await officer.list_all(f"/v1/participants/{context.ids['person']}/timeline")
        has_placement = any("placement" in entry["kind"] for entry in entries)
        return entries if has_placement else None

    entries = await eventually("placement on the person's timeline", find_timeline)
    return {
        "placement_id": placement["id"],
        "employer": EMPLOYER,
        "timeline": [entry["kind"] for entry in entries],
    }


async def _register_agencies(context: DemoContext) -> None:
    """Register each agency as one administrator and approve it as another (four eyes)."""
    registrar = context.caller("administrator", subject="administrator-1", facility="*", agency="*")
    approver = context.caller("administrator", subject="administrator-2", facility="*", agency="*")
    for agency in AGENCIES:
        path = f"/v1/agencies/{agency['id']}"
        if await create_if_missing(registrar, "/v1/agencies", AGENCY_TERMS | agency, path):
            registered = await approver.get(path)
            await approver.post(f"{path}/approve", if_match=_etag(registered))


async def _certified_candidate(context: DemoContext, officer: GatewayCaller) -> Facts:
    async def find_candidate() -> Facts | None:
        answer = await officer.request("GET", f"/v1/candidates/{context.ids['person']}")
        return answer.body if answer.status == OK and answer.body.get("skills") else None

    return await eventually("certified skill at manpower", find_candidate)


async def _give_consents(officer: GatewayCaller, person_id: str) -> None:
    texts = (await officer.get("/v1/consents/texts"))["items"]
    text_hashes = {text["purpose"]: text["text_version_hash"] for text in texts}
    now = datetime.now(UTC)
    for purpose, recipient, fields in CONSENTS:
        consent = {
            "candidate_id": person_id,
            "purpose": purpose,
            "recipient": recipient,
            "fields": fields,
            "text_version_hash": text_hashes[purpose],
            "given_at": (now - timedelta(seconds=1)).isoformat(),
            "witness_ref": "wali-01",
            "expires_at": (now + timedelta(days=CONSENT_DAYS)).isoformat(),
        }
        await officer.post("/v1/consents", consent)


async def _find_in_feed(dinas: GatewayCaller, person_id: str) -> Facts:
    async def find_item() -> Facts | None:
        cursor = ""
        while True:
            page = await dinas.get(f"/v1/feed?limit=500{f'&after={cursor}' if cursor else ''}")
            for item in page["items"]:
                if item["subject"]["ref"] == person_id and item["href"]:
                    return item
            if not page["has_more"]:
                return None
            cursor = page["next_cursor"]

    return await eventually("candidate in the feed of the Dinas", find_item)


async def _accepted_application(
    context: DemoContext, employer: GatewayCaller, officer: GatewayCaller
) -> Facts:
    vacancy = await employer.post(
        "/v1/vacancies",
        {
            "position": "Juru las",
            "kbji_code": "7212",
            "headcount": 1,
            "regency_code": REGENCY,
            "valid_until": (context.today + timedelta(days=30)).isoformat(),
            "start_month": f"{context.today:%Y-%m}",
            "wage_band": WAGE_BAND,
            "requirements": {"units": [unit["code"] for unit in UNITS]},
        },
    )
    application = await officer.post(
        "/v1/job-applications",
        {"candidate_id": context.ids["person"], "vacancy_id": vacancy["id"]},
    )
    steps = (
        (officer, "CONSENTED"),
        (officer, "SUBMITTED"),
        (employer, "SELECTED_FOR_INTERVIEW"),
        (employer, "INTERVIEW_BOOKED"),
        (employer, "OFFERED"),
        (officer, "ACCEPTED"),
    )
    for caller, state in steps:
        path = f"/v1/job-applications/{application['id']}/steps"
        application = await caller.post(path, {"to": state}, if_match=_etag(application))
    return application


def _etag(body: Facts) -> str:
    """Return the version of a body as a value for If-Match."""
    return f'"{body["version"]}"'
