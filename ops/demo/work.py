"""At the manpower office: consent, disclosure, vacancy, placement."""

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
from ops.local.gateway_client import UnexpectedAnswer, eventually


async def share_with_dinas(context: DemoContext) -> Facts:
    registers, approves = (
        context.caller("administrator", subject=name, facility="*", agency="*")
        for name in ("administrator-1", "administrator-2")
    )
    terms = {
        "regency_codes": [REGENCY],
        "purpose": "Penempatan kerja",
        "legal_basis": "Nota kesepahaman 01/2026",
    }
    for agency in (
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
    ):
        if await create_if_missing(
            registers, "/v1/agencies", terms | agency, f"/v1/agencies/{agency['id']}"
        ):
            await approves.post(f"/v1/agencies/{agency['id']}/approve")
    officer = context.caller("case_officer")

    async def candidate() -> Facts | None:
        answer = await officer.request("GET", f"/v1/candidates/{context.ids['person']}")
        return answer.body if answer.status == OK and answer.body.get("skills") else None

    person = await eventually("certified skill at manpower", candidate)
    await officer.request_expecting(
        "PATCH",
        f"/v1/candidates/{person['id']}",
        {"regency_code": REGENCY},
        if_match=f'"{person["version"]}"',
    )
    texts = {
        one["purpose"]: one["text_version_hash"]
        for one in (await officer.get("/v1/consents/texts"))["items"]
    }
    now, later = (
        (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
        (datetime.now(UTC) + timedelta(days=90)).isoformat(),
    )
    for purpose, recipient, fields in (
        ("dinas_registration", DINAS, ["name", "regency", "skills", "availability"]),
        ("employer_share", EMPLOYER, ["name", "skills"]),
    ):
        given = {
            "candidate_id": person["id"],
            "purpose": purpose,
            "recipient": recipient,
            "fields": fields,
            "text_version_hash": texts[purpose],
            "given_at": now,
            "witness_ref": "wali-01",
            "expires_at": later,
        }
        await officer.post("/v1/consents", given)
    dinas = context.caller("dinas_placement", "partner", agency=DINAS, regency=REGENCY)

    async def in_feed() -> Facts | None:
        after = ""
        while True:
            page = await dinas.get(f"/v1/feed?limit=500{f'&after={after}' if after else ''}")
            found = next(
                (
                    item
                    for item in page["items"]
                    if item["subject"]["ref"] == person["id"] and item["href"]
                ),
                None,
            )
            if found or not page["has_more"]:
                return found
            after = page["next_cursor"]

    item = await eventually("candidate in the feed of the Dinas", in_feed)
    seen = await dinas.get(f"/v1/candidates/{person['id']}")
    if hashlib.sha256(seen["name"].encode()).hexdigest() != context.ids["name_hash"]:
        raise UnexpectedAnswer("the name disclosed to the Dinas", 0, {})
    return {
        "feed_item": item["type"],
        "available_from": seen.get("available_from"),
        "skills": [one["scheme_title"] for one in seen["skills"]],
        "name_disclosed": True,
    }


async def confirm_placement(context: DemoContext) -> Facts:
    employer, officer = (
        context.caller("employer", "partner", employer=EMPLOYER),
        context.caller("case_officer"),
    )
    wages = {"from_idr": 3_500_000, "to_idr": 4_500_000}
    vacancy = await employer.post(
        "/v1/vacancies",
        {
            "position": "Juru las",
            "kbji_code": "7212",
            "headcount": 1,
            "regency_code": REGENCY,
            "valid_until": (context.today + timedelta(days=30)).isoformat(),
            "start_month": f"{context.today:%Y-%m}",
            "wage_band": wages,
            "requirements": {"units": [unit["code"] for unit in UNITS]},
        },
    )
    application = await officer.post(
        "/v1/job-applications",
        {"candidate_id": context.ids["person"], "vacancy_id": vacancy["id"]},
    )
    path = f"/v1/job-applications/{application['id']}"
    steps = (
        (officer, ("CONSENTED", "SUBMITTED")),
        (employer, ("SELECTED_FOR_INTERVIEW", "INTERVIEW_BOOKED", "OFFERED")),
        (officer, ("ACCEPTED",)),
    )
    for who, states in steps:
        for state in states:
            if application["state"] != state:
                application = await who.post(f"{path}/steps", {"to": state})
    body = {
        "application_id": application["id"],
        "kind": "employee",
        "started_on": context.today.isoformat(),
        "wage_band": wages,
        "permit_number": "SK-ASIMILASI-01/2026",
    }
    placement = await officer.post("/v1/placements", body)

    async def on_timeline() -> list[Facts] | None:
        entries = await officer.list_all(f"/v1/participants/{context.ids['person']}/timeline")
        return entries if any("placement" in entry["kind"] for entry in entries) else None

    entries = await eventually("placement on the person's timeline", on_timeline)
    return {
        "placement_id": placement["id"],
        "employer": EMPLOYER,
        "timeline": [entry["kind"] for entry in entries],
    }
