"""The steps at the certification body: assessment, panel, certificate, public check.

Not here: the steps in the prison (prison).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from ops.demo.context import LSP, OK, SCHEME, UNITS, ZONE, DemoContext, Facts, act_on_line
from ops.local.gateway_client import Answer, GatewayCaller, UnexpectedAnswer, eventually

SHOWN_OF_CERTIFICATE = (
    "certificate_id",
    "scheme_title",
    "valid_from",
    "valid_until",
    "digest",
    "check_url",
)

APPLICATIONS = "/v1/assessment-applications"
EMBLEM = Path(__file__).parent / "sample" / "emblem.png"
SIGNATORY = {
    "name": "Dr. Ir. Ratna Kusumawati, M.T.",
    "office": "Ketua LSP Logam Nusantara",
    "place": "Surabaya",
}
UNIT_TITLES_EN = (
    "Weld plates in the flat position by the SMAW process",
    "Apply occupational safety in welding",
)


async def prepare_certification(context: DemoContext) -> Facts:
    """Create the LSP, its licence, keys, scheme, assessor and venue; safe to repeat."""
    lsp = await _prepare_lsp(context)
    context.ids["lsp"] = lsp["lsp_id"]
    officer = _officer(context)
    await _prepare_licence_and_keys(lsp, officer, context)
    await _prepare_scheme(officer, context)
    context.ids["assessor"] = (await _prepare_assessor(officer, context))["assessor_id"]
    context.ids["venue"] = (await _prepare_venue(officer, context))["venue_id"]
    return {"lsp": lsp["name"], "did": lsp["did"], "scheme": SCHEME, "units": len(UNITS)}


async def open_application(context: DemoContext) -> Facts:
    """Wait for the application that the completed course opens; fill its forms and assign it."""
    officer = _officer(context)
    person = context.ids["person"]

    async def opened() -> Facts | None:
        applications = await officer.list_all(f"{APPLICATIONS}?participant_ref={person}")
        return applications[0] if applications else None

    application = await eventually("application opened by the completed course", opened)
    path = f"{APPLICATIONS}/{application['application_id']}"
    context.ids |= {"application": application["application_id"], "application_path": path}
    today = context.today.isoformat()
    evidence = {
        "kind": "Surat keterangan pelatihan",
        "description": "8 JP pelatihan dasar las SMAW",
    }
    forms = {
        "application_id": application["application_id"],
        "version": application["version"],
        "apl_01": {"evidence": [evidence], "signed_on": today},
        "apl_02": {"units": {unit["code"]: True for unit in UNITS}, "signed_on": today},
    }
    assignment = {
        "assessor_id": context.ids["assessor"],
        "venue_id": context.ids["venue"],
        "held_on": today,
    }
    await act_on_line(officer, f"{APPLICATIONS}/forms", {"lines": [forms]})
    await _change_application(officer, context, "name")
    await _change_application(officer, context, "assignment", assignment)
    return {"application_id": application["application_id"], "scheme": application["scheme_ref"]}


async def assess(context: DemoContext) -> Facts:
    """Declare no conflict, record every unit as competent and recommend."""
    assessor = context.caller("assessor", assignment=context.ids["assessor"])
    results = {unit["code"]: "K" for unit in UNITS}
    declared = await _change_application(assessor, context, "declaration", {"conflict": False})
    line = {"application_id": declared["application_id"], "version": declared["version"]}
    lines = [line | {"units": results}]
    await act_on_line(assessor, f"{APPLICATIONS}/unit-results", {"lines": lines})
    recommended = await _change_application(
        assessor, context, "recommendation", {"competent": True}
    )
    return {"units": results, "state": recommended["state"]}


async def decide_panel(context: DemoContext) -> Facts:
    """Confirm the name, enter the panel's decision and wait for the signed certificate."""
    committee = context.caller("committee", lsp=context.ids["lsp"])
    name = (await committee.get(f"{context.ids['application_path']}/name"))["name"]
    await _change_application(committee, context, "name/confirmation", {"name": name})
    context.ids["name_hash"] = hashlib.sha256(name.encode()).hexdigest()
    decision = await committee.post("/v1/panel-decisions", _sitting(context))
    [item] = decision["items"]
    if item["reasons"]:
        reason = {"title": item["reasons"][0]["message"]}
        raise UnexpectedAnswer("the panel's decision was refused", 0, reason)
    officer = _officer(context)

    async def issued() -> Facts | None:
        certificate = await officer.get(f"/v1/certificates/{item['certificate_id']}")
        return certificate if certificate["state"] == "issued" else None

    certificate = await eventually("certificate signed", issued)
    context.ids["certificate"] = certificate["certificate_id"]
    path = f"/v1/certificates/{certificate['certificate_id']}"
    await _change(officer, "PUT", path, "numbers", _invent_numbers(context))
    token = certificate["check_url"].rpartition("/")[2]
    context.certificate = {name: certificate[name] for name in SHOWN_OF_CERTIFICATE}
    context.certificate["local_url"] = f"{context.client.address_of('certificate')}/V/{token}"
    return {
        "certificate_id": certificate["certificate_id"],
        "valid_until": certificate["valid_until"],
        "check_url": certificate["check_url"],
    }


async def check_certificate(context: DemoContext) -> Facts:
    """Check the certificate without a token, and a copy with one changed text."""
    officer = _officer(context)
    public = context.client.caller(None, "certificate")
    path = f"/v1/certificates/{context.ids['certificate']}"
    credential = await officer.get(f"{path}/credential")
    genuine = await public.post("/v1/verifications", credential)
    forged = await public.post("/v1/verifications", _forge(credential))
    context.record_refusal(
        "sertifikat yang diubah satu kata",
        "a certificate with one changed word",
        forged["status"],
    )
    token = context.certificate["check_url"].rpartition("/")[2]
    page = await public.request("GET", f"/V/{token}", accept="application/json")
    pdf = await officer.request("GET", f"{path}/pdf")
    _require_expected(genuine["status"], forged["status"], page, pdf)
    return {
        "status": genuine["status"],
        "checks": genuine["checks"],
        "altered": forged["status"],
        "page": context.certificate["local_url"],
        "pdf_bytes": len(pdf.body),
    }


async def _prepare_lsp(context: DemoContext) -> Facts:
    administrator = context.caller("administrator", lsp="*")
    for lsp in await administrator.list_all("/v1/lsps"):
        if lsp["slug"] == LSP:
            return lsp
    body = {"slug": LSP, "name": "LSP Logam Nusantara", "kind": "P3"}
    return await administrator.post("/v1/lsps", body)


async def _prepare_licence_and_keys(
    lsp: Facts, officer: GatewayCaller, context: DemoContext
) -> None:
    path = f"/v1/lsps/{lsp['lsp_id']}"
    if not lsp["licences"]:
        licence = {
            "number": "BNSP-LSP-2201-ID",
            "valid_from": f"{context.today.year}-01-01",
            "valid_until": f"{context.today.year + 3}-12-31",
            "scheme_refs": [SCHEME],
        }
        proposed = await _change(officer, "POST", path, "licences", licence)
        [proposal] = proposed["licence_proposals"]
        approval = f"licence-proposals/{proposal['proposal_id']}/approval"
        administrator = context.caller("administrator", lsp="*")
        await _change(administrator, "POST", path, approval)
    if not lsp["keys"]:
        await _change(officer, "POST", path, "keys")
    if not lsp["signatory"]:
        await _change(officer, "PUT", path, "signatory", SIGNATORY)
        await _change(officer, "PUT", path, "emblem", EMBLEM.read_bytes())


async def _prepare_scheme(officer: GatewayCaller, context: DemoContext) -> None:
    if await officer.list_all(f"/v1/schemes?scheme_ref={SCHEME}"):
        return
    edition = {
        "lsp_id": context.ids["lsp"],
        "scheme_ref": SCHEME,
        "title": "Juru las SMAW posisi 1G",
        "title_en": "SMAW welder, position 1G",
        "packaging": "cluster",
        "description": "Mengelas pelat baja posisi di bawah tangan.",
        "criteria": "Semua unit dinyatakan kompeten oleh LSP.",
        "units": [
            unit | {"title_en": title} for unit, title in zip(UNITS, UNIT_TITLES_EN, strict=True)
        ],
        "asesi_per_assessor": 100,
    }
    await officer.post("/v1/schemes", edition)


async def _prepare_assessor(officer: GatewayCaller, context: DemoContext) -> Facts:
    assessors = await officer.list_all("/v1/assessors")
    if assessors:
        return assessors[0]
    assessor = {
        "lsp_id": context.ids["lsp"],
        "name": "Asesor Satu",
        "met_no": "MET.000.001234 2024",
        "met_valid_until": f"{context.today.year + 2}-12-31",
        "scheme_refs": [SCHEME],
    }
    return await officer.post("/v1/assessors", assessor)


async def _prepare_venue(officer: GatewayCaller, context: DemoContext) -> Facts:
    """Create the venue unless it exists, and verify it for today."""
    venues = await officer.list_all("/v1/venues")
    new_venue = {
        "lsp_id": context.ids["lsp"],
        "name": "TUK Sewaktu Las",
        "kind": "occasional",
        "places_per_day": 500,
        "scheme_refs": [SCHEME],
    }
    venue = venues[0] if venues else await officer.post("/v1/venues", new_venue)
    today = context.today.isoformat()
    is_verified = any(
        verification["valid_from"] <= today <= verification["valid_until"]
        for verification in venue["verifications"]
    )
    if not is_verified:
        days = {"valid_from": today, "valid_until": today, "scheme_refs": [SCHEME]}
        path = f"/v1/venues/{venue['venue_id']}"
        await _change(officer, "POST", path, "verifications", days)
    return venue


def _officer(context: DemoContext) -> GatewayCaller:
    return context.caller("lsp_officer", lsp=context.ids["lsp"])


async def _change(
    caller: GatewayCaller, method: str, path: str, part: str, body: Any = None
) -> Facts:
    """Change a part of the aggregate at `path`, with its current version in If-Match."""
    version = (await caller.get(path))["version"]
    return await caller.request_expecting(method, f"{path}/{part}", body, if_match=f'"{version}"')


async def _change_application(
    caller: GatewayCaller, context: DemoContext, part: str, body: Any = None
) -> Facts:
    return await _change(caller, "PUT", context.ids["application_path"], part, body)


def _sitting(context: DemoContext) -> Facts:
    """Return the body of a panel decision: the applicant is competent."""
    return {
        "lsp_id": context.ids["lsp"],
        "minutes_no": f"BA-PLENO/{datetime.now(ZONE):%Y%m%d%H%M%S}",
        "decided_on": context.today.isoformat(),
        "members": [
            {"name": "Anggota Satu"},
            {"name": "Anggota Dua"},
            {"name": "Anggota Tiga"},
        ],
        "decisions": [{"application_id": context.ids["application"], "competent": True}],
    }


def _invent_numbers(context: DemoContext) -> Facts:
    """Return numbers such as BNSP gives; no two runs use the same."""
    run = f"{datetime.now(ZONE):%d%H%M%S}"
    return {
        "certificate_no": f"25920 7212 2 {run} {context.today.year}",
        "registration_no": f"LAS.2201.{run} {context.today.year}",
    }


def _forge(credential: Facts) -> Facts:
    """Return a copy of the credential with another achievement."""
    forged = json.loads(json.dumps(credential))
    forged["credentialSubject"]["achievement"]["name"] = "Juru las kelas satu"
    return forged


def _require_expected(genuine: str, forged: str, page: Answer, pdf: Answer) -> None:
    """Raise UnexpectedAnswer unless only the genuine credential is valid and page and PDF exist."""
    is_distinguished = genuine == "valid" and forged == "invalid"
    is_pdf = bytes(pdf.body).startswith(b"%PDF")
    if not is_distinguished or page.status != OK or not is_pdf:
        statuses = {"title": f"{genuine} / {forged}"}
        raise UnexpectedAnswer("the certificate's check", page.status, statuses)
