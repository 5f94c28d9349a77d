"""At the certification body: assessment, panel, certificate, and anybody who checks it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from ops.demo.context import LSP, OK, SCHEME, UNITS, ZONE, DemoContext, Facts
from ops.local.gateway_client import UnexpectedAnswer, eventually


async def prepare_certification(context: DemoContext) -> Facts:
    administrator, officer = (
        context.caller("administrator", lsp="*"),
        context.caller("lsp_officer", lsp="*"),
    )
    known = {one["slug"]: one for one in await officer.list_all("/v1/lsps")}
    lsp = known.get(LSP) or await administrator.post(
        "/v1/lsps", {"slug": LSP, "name": "LSP Logam Nusantara", "kind": "P3"}
    )
    context.ids["lsp"] = lsp["lsp_id"]
    mine = context.caller("lsp_officer", lsp=lsp["lsp_id"])
    year = {
        "valid_from": f"{context.today.year}-01-01",
        "valid_until": f"{context.today.year + 3}-12-31",
        "scheme_refs": [SCHEME],
    }
    if not lsp["licences"]:
        await mine.post(f"/v1/lsps/{lsp['lsp_id']}/licences", {"number": "BNSP-LSP-2201-ID"} | year)
    if not lsp["keys"]:
        await mine.post(f"/v1/lsps/{lsp['lsp_id']}/keys")
    if not await mine.list_all(f"/v1/schemes?scheme_ref={SCHEME}"):
        terms = {
            "title": "Juru las SMAW posisi 1G",
            "packaging": "cluster",
            "description": "Mengelas pelat baja posisi di bawah tangan.",
            "criteria": "Semua unit dinyatakan kompeten oleh LSP.",
            "units": UNITS,
            "asesi_per_assessor": 100,
        }
        await mine.post("/v1/schemes", {"lsp_id": lsp["lsp_id"], "scheme_ref": SCHEME} | terms)
    assessors = await mine.list_all("/v1/assessors")
    context.ids["assessor"] = (
        assessors[0]
        if assessors
        else await mine.post(
            "/v1/assessors",
            {
                "lsp_id": lsp["lsp_id"],
                "name": "Asesor Satu",
                "met_no": "MET.000.001234 2024",
                "met_valid_until": f"{context.today.year + 2}-12-31",
                "scheme_refs": [SCHEME],
            },
        )
    )["assessor_id"]
    venues = await mine.list_all("/v1/venues")
    venue = (
        venues[0]
        if venues
        else await mine.post(
            "/v1/venues",
            {
                "lsp_id": lsp["lsp_id"],
                "name": "TUK Sewaktu Las",
                "kind": "occasional",
                "places_per_day": 500,
                "scheme_refs": [SCHEME],
            },
        )
    )
    context.ids["venue"] = venue["venue_id"]
    if not any(
        one["valid_from"] <= context.today.isoformat() <= one["valid_until"]
        for one in venue["verifications"]
    ):
        await mine.post(
            f"/v1/venues/{venue['venue_id']}/verifications",
            {
                "valid_from": context.today.isoformat(),
                "valid_until": context.today.isoformat(),
                "scheme_refs": [SCHEME],
            },
        )
    return {"lsp": lsp["name"], "did": lsp["did"], "scheme": SCHEME, "units": len(UNITS)}


async def open_application(context: DemoContext) -> Facts:
    officer = context.caller("lsp_officer", lsp=context.ids["lsp"])

    async def opened() -> Facts | None:
        found = await officer.list_all(
            f"/v1/assessment-applications?participant_ref={context.ids['person']}"
        )
        return found[0] if found else None

    application = await eventually("application opened by the completed course", opened)
    path = f"/v1/assessment-applications/{application['application_id']}"
    context.ids |= {"application": application["application_id"], "application_path": path}
    today = context.today.isoformat()
    await officer.request_expecting(
        "PUT",
        f"{path}/apl-01",
        {
            "evidence": [
                {"kind": "Surat keterangan pelatihan", "description": "160 JP pelatihan las SMAW"}
            ],
            "signed_on": today,
        },
    )
    await officer.request_expecting(
        "PUT",
        f"{path}/apl-02",
        {"units": {unit["code"]: True for unit in UNITS}, "signed_on": today},
    )
    await officer.request_expecting("PUT", f"{path}/name")
    await officer.request_expecting(
        "PUT",
        f"{path}/assignment",
        {
            "assessor_id": context.ids["assessor"],
            "venue_id": context.ids["venue"],
            "held_on": today,
        },
    )
    return {"application_id": application["application_id"], "scheme": application["scheme_ref"]}


async def assess(context: DemoContext) -> Facts:
    assessor = context.caller("assessor", assignment=context.ids["assessor"])
    path = context.ids["application_path"]
    await assessor.request_expecting("PUT", f"{path}/declaration", {"conflict": False})
    await assessor.request_expecting(
        "PUT", f"{path}/unit-results", {"units": {unit["code"]: "K" for unit in UNITS}}
    )
    done = await assessor.request_expecting("PUT", f"{path}/recommendation", {"competent": True})
    return {"units": {unit["code"]: "K" for unit in UNITS}, "state": done["state"]}


async def decide_panel(context: DemoContext) -> Facts:
    committee, path = (
        context.caller("committee", lsp=context.ids["lsp"]),
        context.ids["application_path"],
    )
    name = await committee.get(f"{path}/name")
    await committee.request_expecting("PUT", f"{path}/name/confirmation", {"name": name["name"]})
    context.ids["name_hash"] = hashlib.sha256(name["name"].encode()).hexdigest()
    decision = await committee.post(
        "/v1/panel-decisions",
        {
            "lsp_id": context.ids["lsp"],
            "minutes_no": f"BA-PLENO/{datetime.now(ZONE):%Y%m%d%H%M%S}",
            "decided_on": context.today.isoformat(),
            "members": [
                {"name": "Anggota Satu"},
                {"name": "Anggota Dua"},
                {"name": "Anggota Tiga"},
            ],
            "decisions": [{"application_id": context.ids["application"], "competent": True}],
        },
    )
    [item] = decision["items"]
    if item["reasons"]:
        raise UnexpectedAnswer(
            "the panel's decision was refused", 0, {"title": item["reasons"][0]["message"]}
        )
    officer = context.caller("lsp_officer", lsp=context.ids["lsp"])

    async def issued() -> Facts | None:
        found = await officer.get(f"/v1/certificates/{item['certificate_id']}")
        return found if found["state"] == "issued" else None

    certificate = await eventually("certificate signed", issued)
    context.ids["certificate"] = certificate["certificate_id"]
    token = certificate["check_url"].rpartition("/")[2]
    context.certificate = {
        name: certificate[name]
        for name in (
            "certificate_id",
            "scheme_title",
            "valid_from",
            "valid_until",
            "digest",
            "check_url",
        )
    } | {"local_url": f"{context.client.address_of('certificate')}/V/{token}"}
    return {
        "certificate_id": certificate["certificate_id"],
        "valid_until": certificate["valid_until"],
        "check_url": certificate["check_url"],
    }


async def check_certificate(context: DemoContext) -> Facts:
    officer = context.caller("lsp_officer", lsp=context.ids["lsp"])
    public = context.client.caller(None, "certificate")
    credential = await officer.get(f"/v1/certificates/{context.ids['certificate']}/credential")
    checked = await public.post("/v1/verifications", credential)
    forged = json.loads(json.dumps(credential))
    forged["credentialSubject"]["achievement"]["name"] = "Juru las kelas satu"
    answer = await public.post("/v1/verifications", forged)
    context.refusals.append(
        {"what": "sertifikat yang diubah satu kata", "answer": answer["status"]}
    )
    page = await public.request(
        "GET",
        f"/V/{context.certificate['check_url'].rpartition('/')[2]}",
        accept="application/json",
    )
    pdf = await officer.request("GET", f"/v1/certificates/{context.ids['certificate']}/pdf")
    if (
        checked["status"] != "valid"
        or answer["status"] != "invalid"
        or page.status != OK
        or not bytes(pdf.body).startswith(b"%PDF")
    ):
        raise UnexpectedAnswer(
            "the certificate's check",
            page.status,
            {"title": f"{checked['status']} / {answer['status']}"},
        )
    return {
        "status": checked["status"],
        "checks": checked["checks"],
        "altered": answer["status"],
        "page": context.certificate["local_url"],
        "pdf_bytes": len(pdf.body),
    }
