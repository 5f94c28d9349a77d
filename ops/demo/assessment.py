"""At the certification body: assessment, panel, certificate, and anybody who checks it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from ops.demo.context import LSP, OK, SCHEME, UNITS, ZONE, Facts, Story
from ops.local.gateway_client import Unexpected, eventually


async def prepare_certification(story: Story) -> Facts:
    administrator, officer = (
        story.role("administrator", lsp="*"),
        story.role("lsp_officer", lsp="*"),
    )
    known = {one["slug"]: one for one in await officer.every("/v1/lsps")}
    lsp = known.get(LSP) or await administrator.post(
        "/v1/lsps", {"slug": LSP, "name": "LSP Logam Nusantara", "kind": "P3"}
    )
    story.known["lsp"] = lsp["lsp_id"]
    mine = story.role("lsp_officer", lsp=lsp["lsp_id"])
    year = {
        "valid_from": f"{story.today.year}-01-01",
        "valid_until": f"{story.today.year + 3}-12-31",
        "scheme_refs": [SCHEME],
    }
    if not lsp["licences"]:
        await mine.post(f"/v1/lsps/{lsp['lsp_id']}/licences", {"number": "BNSP-LSP-2201-ID"} | year)
    if not lsp["keys"]:
        await mine.post(f"/v1/lsps/{lsp['lsp_id']}/keys")
    if not await mine.every(f"/v1/schemes?scheme_ref={SCHEME}"):
        terms = {
            "title": "Juru las SMAW posisi 1G",
            "packaging": "cluster",
            "description": "Mengelas pelat baja posisi di bawah tangan.",
            "criteria": "Semua unit dinyatakan kompeten oleh LSP.",
            "units": UNITS,
            "asesi_per_assessor": 100,
        }
        await mine.post("/v1/schemes", {"lsp_id": lsp["lsp_id"], "scheme_ref": SCHEME} | terms)
    assessors = await mine.every("/v1/assessors")
    story.known["assessor"] = (
        assessors[0]
        if assessors
        else await mine.post(
            "/v1/assessors",
            {
                "lsp_id": lsp["lsp_id"],
                "name": "Asesor Satu",
                "met_no": "MET.000.001234 2024",
                "met_valid_until": f"{story.today.year + 2}-12-31",
                "scheme_refs": [SCHEME],
            },
        )
    )["assessor_id"]
    venues = await mine.every("/v1/venues")
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
    story.known["venue"] = venue["venue_id"]
    if not any(
        one["valid_from"] <= story.today.isoformat() <= one["valid_until"]
        for one in venue["verifications"]
    ):
        await mine.post(
            f"/v1/venues/{venue['venue_id']}/verifications",
            {
                "valid_from": story.today.isoformat(),
                "valid_until": story.today.isoformat(),
                "scheme_refs": [SCHEME],
            },
        )
    return {"lsp": lsp["name"], "did": lsp["did"], "scheme": SCHEME, "units": len(UNITS)}


async def open_application(story: Story) -> Facts:
    officer = story.role("lsp_officer", lsp=story.known["lsp"])

    async def opened() -> Facts | None:
        found = await officer.every(
            f"/v1/assessment-applications?participant_ref={story.known['person']}"
        )
        return found[0] if found else None

    application = await eventually("application opened by the completed course", opened)
    path = f"/v1/assessment-applications/{application['application_id']}"
    story.known |= {"application": application["application_id"], "application_path": path}
    today = story.today.isoformat()
    await officer.do(
        "PUT",
        f"{path}/apl-01",
        {
            "evidence": [
                {"kind": "Surat keterangan pelatihan", "description": "160 JP pelatihan las SMAW"}
            ],
            "signed_on": today,
        },
    )
    await officer.do(
        "PUT",
        f"{path}/apl-02",
        {"units": {unit["code"]: True for unit in UNITS}, "signed_on": today},
    )
    await officer.do("PUT", f"{path}/name")
    await officer.do(
        "PUT",
        f"{path}/assignment",
        {
            "assessor_id": story.known["assessor"],
            "venue_id": story.known["venue"],
            "held_on": today,
        },
    )
    return {"application_id": application["application_id"], "scheme": application["scheme_ref"]}


async def assess(story: Story) -> Facts:
    assessor = story.role("assessor", assignment=story.known["assessor"])
    path = story.known["application_path"]
    await assessor.do("PUT", f"{path}/declaration", {"conflict": False})
    await assessor.do(
        "PUT", f"{path}/unit-results", {"units": {unit["code"]: "K" for unit in UNITS}}
    )
    done = await assessor.do("PUT", f"{path}/recommendation", {"competent": True})
    return {"units": {unit["code"]: "K" for unit in UNITS}, "state": done["state"]}


async def decide_panel(story: Story) -> Facts:
    committee, path = (
        story.role("committee", lsp=story.known["lsp"]),
        story.known["application_path"],
    )
    name = await committee.get(f"{path}/name")
    await committee.do("PUT", f"{path}/name/confirmation", {"name": name["name"]})
    story.known["name_hash"] = hashlib.sha256(name["name"].encode()).hexdigest()
    decision = await committee.post(
        "/v1/panel-decisions",
        {
            "lsp_id": story.known["lsp"],
            "minutes_no": f"BA-PLENO/{datetime.now(ZONE):%Y%m%d%H%M%S}",
            "decided_on": story.today.isoformat(),
            "members": [
                {"name": "Anggota Satu"},
                {"name": "Anggota Dua"},
                {"name": "Anggota Tiga"},
            ],
            "decisions": [{"application_id": story.known["application"], "competent": True}],
        },
    )
    [item] = decision["items"]
    if item["reasons"]:
        raise Unexpected(
            "the panel's decision was refused", 0, {"title": item["reasons"][0]["message"]}
        )
    officer = story.role("lsp_officer", lsp=story.known["lsp"])

    async def issued() -> Facts | None:
        found = await officer.get(f"/v1/certificates/{item['certificate_id']}")
        return found if found["state"] == "issued" else None

    certificate = await eventually("certificate signed", issued)
    story.known["certificate"] = certificate["certificate_id"]
    token = certificate["check_url"].rpartition("/")[2]
    story.certificate = {
        name: certificate[name]
        for name in (
            "certificate_id",
            "scheme_title",
            "valid_from",
            "valid_until",
            "digest",
            "check_url",
        )
    } | {"local_url": f"{story.door.address('certificate')}/V/{token}"}
    return {
        "certificate_id": certificate["certificate_id"],
        "valid_until": certificate["valid_until"],
        "check_url": certificate["check_url"],
    }


async def check_certificate(story: Story) -> Facts:
    officer = story.role("lsp_officer", lsp=story.known["lsp"])
    public = story.door.caller(None, "certificate")
    credential = await officer.get(f"/v1/certificates/{story.known['certificate']}/credential")
    checked = await public.post("/v1/verifications", credential)
    forged = json.loads(json.dumps(credential))
    forged["credentialSubject"]["achievement"]["name"] = "Juru las kelas satu"
    answer = await public.post("/v1/verifications", forged)
    story.refused.append({"what": "sertifikat yang diubah satu kata", "answer": answer["status"]})
    page = await public.ask(
        "GET", f"/V/{story.certificate['check_url'].rpartition('/')[2]}", accept="application/json"
    )
    pdf = await officer.ask("GET", f"/v1/certificates/{story.known['certificate']}/pdf")
    if (
        checked["status"] != "valid"
        or answer["status"] != "invalid"
        or page.status != OK
        or not bytes(pdf.body).startswith(b"%PDF")
    ):
        raise Unexpected(
            "the certificate's check",
            page.status,
            {"title": f"{checked['status']} / {answer['status']}"},
        )
    return {
        "status": checked["status"],
        "checks": checked["checks"],
        "altered": answer["status"],
        "page": story.certificate["local_url"],
        "pdf_bytes": len(pdf.body),
    }
