"""One person's way from the prison's file to a job, step by step, each by the role that would do it. Not here: how steps are shown (demo)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ops.door import Caller, Door, Unexpected, eventually

ZONE = ZoneInfo("Asia/Jakarta")
FACILITY, OTHER_FACILITY, REGENCY, DINAS, EMPLOYER = "LP-TJP", "LP-PKP", "19.02", "dinas-belitung", "bengkel-las-belitung"
SNAPSHOT = Path(__file__).parent.parent / "tests" / "training" / "snapshots" / FACILITY / "2026-11-16.csv"
TAKEN_AT = "2026-11-16T14:00:00+07:00"
SCHEME, LSP = "las-smaw-1g", "lsp-logam-nusantara"
UNITS = [
    {"code": "C.24LAS01.001.1", "title": "Mengelas pelat posisi di bawah tangan dengan proses SMAW"},
    {"code": "C.24LAS01.002.1", "title": "Menerapkan keselamatan kerja pengelasan"},
]
GOODS, PRICE, MATERIAL = 7, 100_000, 280_000


@dataclass(slots=True)
class Story:
    """What has happened so far: ids by name, and what the summary shows."""

    door: Door
    today: date = field(default_factory=lambda: datetime.now(ZONE).date())
    known: dict[str, Any] = field(default_factory=dict)
    certificate: dict[str, Any] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)
    split: dict[str, int] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def role(self, name: str, host: str = "staff", subject: str | None = None, **claims: str) -> Caller:
        """The person in a role; officers of our prison unless told otherwise."""
        return self.door.caller(name, host, subject, **(claims or {"facility": FACILITY}))

    @property
    def anybody(self) -> Caller:
        """A buyer without an account."""
        return self.door.caller(None, "shop")


Facts = dict[str, Any]
Step = Callable[[Story], Awaitable[Facts]]


async def open_facility(story: Story) -> Facts:
    administrator = story.role("administrator", facility="*")
    body = {"facility_id": FACILITY, "name": "Lapas Kelas IIB Tanjungpandan", "kind": "lapas", "time_zone": "Asia/Jakarta", "regencies": [REGENCY, "19.06"], "labour_office_ids": [DINAS], "mapping": FACILITY}
    await _made(administrator, "/v1/facilities", body | {"live_from": story.today.isoformat()}, f"/v1/facilities/{FACILITY}")
    return {"facility": FACILITY, "regencies": [REGENCY, "19.06"]}


async def import_snapshot(story: Story) -> Facts:
    operator = story.role("registry_operator")
    content = SNAPSHOT.read_bytes()
    made = await operator.post(f"/v1/facilities/{FACILITY}/snapshots?taken_at={TAKEN_AT.replace('+', '%2B')}", content, content_type="text/csv")

    async def applied() -> Facts | None:
        found = await operator.get(f"/v1/snapshots/{made['snapshot_id']}")
        return found if found["state"] != "APPLYING" else None

    snapshot = await eventually("snapshot applied", applied)
    errors = await operator.every(f"/v1/snapshots/{made['snapshot_id']}/row-errors")
    return {"file": SNAPSHOT.name, "state": snapshot["state"], "rows": snapshot["row_count"], "admitted": snapshot["counts"].get("admitted", 0), "row_errors": [f"baris {one['row']}, {one['column']}: {one['message']}" for one in errors[:3]]}


async def open_class(story: Story) -> Facts:
    officer = story.role("training_officer")
    titles = {one["title"]: one["programme_id"] for one in await officer.every("/v1/programmes")} if not story.known.get("programme") else {}
    title = "Pelatihan las SMAW"
    body = {"title": title, "units": UNITS, "scheme_ref": SCHEME, "lesson_hours": 160, "provider_neutral_name": "LPK Karya Mandiri", "completion": {"min_attended_bps": 8000, "required_parts": ["praktik"]}}
    story.known["programme"] = titles.get(title) or (await officer.post("/v1/programmes", body))["programme_id"]
    instructor = f"instruktur-{story.today:%Y%m%d%H%M}"
    run = await officer.post(
        "/v1/classes",
        {
            "facility_id": FACILITY, "programme_id": story.known["programme"], "batch_no": f"{datetime.now(ZONE):%Y%m%d-%H%M%S}", "starts_on": story.today.isoformat(),
            "ends_on": (story.today + timedelta(days=20)).isoformat(), "seats_total": 16, "location": "Bengkel las", "instructor_refs": [instructor],
        },
    )  # fmt: skip
    story.known |= {"class": run["class_id"], "instructor": instructor}
    await officer.post(f"/v1/classes/{run['class_id']}/opening")
    return {"class_id": run["class_id"], "title": title, "seats": 16}


async def apply_for_class(story: Story) -> Facts:
    officer = story.role("case_officer")
    held = [one for one in await officer.every(f"/v1/participants?facility_id={FACILITY}&state=held") if one["legal_status"] == "convicted" and not one["absence"]]
    horizon = (story.today + timedelta(days=60)).isoformat()
    for person in sorted(held, key=lambda one: (one["expected_release"] or "", one["source_ref"])):
        if (person["expected_release"] or "") < horizon or await officer.every(f"/v1/enrolments?participant_ref={person['participant_ref']}"):
            continue
        story.known["person"] = person["participant_ref"]
        made = await officer.post("/v1/class-applications", {"participant_ref": person["participant_ref"], "class_ids": [story.known["class"]]})
        return {"participant_ref": person["participant_ref"], "application_id": made["applications"][0]["application_id"], "expected_release_month": person["expected_release"][:7]}
    raise Unexpected("no participant is left who has no enrolment yet", 0, {})


async def decide_tpp(story: Story) -> Facts:
    officer, head = story.role("case_officer"), story.role("head")
    body = {"facility_id": FACILITY, "hearing_on": story.today.isoformat(), "results": [{"participant_ref": story.known["person"], "verdict": "RECOMMENDED"}], "document_ref": "BA-TPP/2026"}
    decisions = []
    for scope in ({"scope": "class", "scope_ref": story.known["class"]}, {"scope": "work"}):
        decision = await officer.post("/v1/tpp-decisions", body | scope)
        if not decision["in_force"]:
            await head.post(f"/v1/tpp-decisions/{decision['decision_id']}/head-approval")
        decisions.append(decision["decision_id"])
    [application] = await officer.every(f"/v1/class-applications?class_id={story.known['class']}&participant_ref={story.known['person']}")
    return {"decisions": decisions, "application": application["state"]}


async def enrol(story: Story) -> Facts:
    officer = story.role("training_officer")
    report = await officer.get(f"/v1/classes/{story.known['class']}/suitability/{story.known['person']}")
    warned = [one["message"] for one in report["reasons"] if one["severity"] == "WARN"]
    made = await officer.post("/v1/enrolments", {"class_id": story.known["class"], "participant_ref": story.known["person"]} | ({"override": "Disetujui Kasi Binadik"} if warned else {}))
    story.known["enrolment"] = made["enrolment_id"]
    await officer.post(f"/v1/classes/{story.known['class']}/start")
    return {"enrolment_id": made["enrolment_id"], "state": made["state"], "warnings": warned}


async def attend(story: Story) -> Facts:
    officer = story.role("training_officer")
    minutes = 0
    for clock in ("00:00", "00:15"):
        session = await officer.post(f"/v1/classes/{story.known['class']}/sessions", {"held_on": story.today.isoformat(), "starts_at": clock, "minutes": 15})

        async def marked(session_id: str = session["session_id"]) -> Any:
            answer = await officer.ask("POST", f"/v1/sessions/{session_id}/attendance", {"marks": [{"enrolment_id": story.known["enrolment"], "reason": "ATTENDED"}]})
            return answer.body if answer.status in {200, 201} else None

        minutes += (await eventually("session marked", marked))["minutes"]
    return {"sessions": 2, "minutes": minutes}


async def prepare_certification(story: Story) -> Facts:
    administrator, officer = story.role("administrator", lsp="*"), story.role("lsp_officer", lsp="*")
    known = {one["slug"]: one for one in await officer.every("/v1/lsps")}
    lsp = known.get(LSP) or await administrator.post("/v1/lsps", {"slug": LSP, "name": "LSP Logam Nusantara", "kind": "P3"})
    story.known["lsp"] = lsp["lsp_id"]
    mine = story.role("lsp_officer", lsp=lsp["lsp_id"])
    year = {"valid_from": f"{story.today.year}-01-01", "valid_until": f"{story.today.year + 3}-12-31", "scheme_refs": [SCHEME]}
    if not lsp["licences"]:
        await mine.post(f"/v1/lsps/{lsp['lsp_id']}/licences", {"number": "BNSP-LSP-2201-ID"} | year)
    if not lsp["keys"]:
        await mine.post(f"/v1/lsps/{lsp['lsp_id']}/keys")
    if not await mine.every(f"/v1/schemes?scheme_ref={SCHEME}"):
        terms = {"title": "Juru las SMAW posisi 1G", "packaging": "cluster", "description": "Mengelas pelat baja posisi di bawah tangan.", "criteria": "Semua unit dinyatakan kompeten oleh LSP.", "units": UNITS}
        await mine.post("/v1/schemes", {"lsp_id": lsp["lsp_id"], "scheme_ref": SCHEME} | terms)
    assessors = await mine.every("/v1/assessors")
    story.known["assessor"] = (assessors[0] if assessors else await mine.post("/v1/assessors", {"lsp_id": lsp["lsp_id"], "name": "Asesor Satu", "met_no": "MET.000.001234 2024", "met_valid_until": f"{story.today.year + 2}-12-31", "scheme_refs": [SCHEME]}))["assessor_id"]
    venues = await mine.every("/v1/venues")
    venue = venues[0] if venues else await mine.post("/v1/venues", {"lsp_id": lsp["lsp_id"], "name": "TUK Sewaktu Las", "kind": "occasional", "places_per_day": 50, "scheme_refs": [SCHEME]})
    story.known["venue"] = venue["venue_id"]
    if not any(one["valid_from"] <= story.today.isoformat() <= one["valid_until"] for one in venue["verifications"]):
        await mine.post(f"/v1/venues/{venue['venue_id']}/verifications", {"valid_from": story.today.isoformat(), "valid_until": story.today.isoformat(), "scheme_refs": [SCHEME]})
    return {"lsp": lsp["name"], "did": lsp["did"], "scheme": SCHEME, "units": len(UNITS)}


async def complete_course(story: Story) -> Facts:
    officer = story.role("training_officer")
    await officer.post(f"/v1/enrolments/{story.known['enrolment']}/results", {"part": "praktik", "passed": True, "score": 86, "assessor_ref": story.known["instructor"]})
    done = await officer.post(f"/v1/enrolments/{story.known['enrolment']}/completion", {"instructor_ref": story.known["instructor"]})
    return {"enrolment_id": done["enrolment_id"], "state": done["state"]}


async def open_application(story: Story) -> Facts:
    officer = story.role("lsp_officer", lsp=story.known["lsp"])

    async def opened() -> Facts | None:
        found = await officer.every(f"/v1/assessment-applications?participant_ref={story.known['person']}")
        return found[0] if found else None

    application = await eventually("application opened by the completed course", opened)
    path = f"/v1/assessment-applications/{application['application_id']}"
    story.known |= {"application": application["application_id"], "application_path": path}
    today = story.today.isoformat()
    await officer.do("PUT", f"{path}/apl-01", {"evidence": [{"kind": "Surat keterangan pelatihan", "description": "160 JP pelatihan las SMAW"}], "signed_on": today})
    await officer.do("PUT", f"{path}/apl-02", {"units": {unit["code"]: True for unit in UNITS}, "signed_on": today})
    await officer.do("PUT", f"{path}/name")
    await officer.do("PUT", f"{path}/assignment", {"assessor_id": story.known["assessor"], "venue_id": story.known["venue"], "held_on": today})
    return {"application_id": application["application_id"], "scheme": application["scheme_ref"]}


async def assess(story: Story) -> Facts:
    assessor = story.role("assessor", assignment=story.known["assessor"])
    path = story.known["application_path"]
    await assessor.do("PUT", f"{path}/declaration", {"conflict": False})
    await assessor.do("PUT", f"{path}/unit-results", {"units": {unit["code"]: "K" for unit in UNITS}})
    done = await assessor.do("PUT", f"{path}/recommendation", {"competent": True})
    return {"units": {unit["code"]: "K" for unit in UNITS}, "state": done["state"]}


async def decide_panel(story: Story) -> Facts:
    committee, path = story.role("committee", lsp=story.known["lsp"]), story.known["application_path"]
    name = await committee.get(f"{path}/name")
    await committee.do("PUT", f"{path}/name/confirmation", {"name": name["name"]})
    story.known["name_hash"] = hashlib.sha256(name["name"].encode()).hexdigest()
    decision = await committee.post(
        "/v1/panel-decisions",
        {"lsp_id": story.known["lsp"], "minutes_no": f"BA-PLENO/{datetime.now(ZONE):%Y%m%d%H%M%S}", "decided_on": story.today.isoformat(), "members": [{"name": "Anggota Satu"}, {"name": "Anggota Dua"}, {"name": "Anggota Tiga"}], "decisions": [{"application_id": story.known["application"], "competent": True}]},
    )
    [item] = decision["items"]
    if item["reasons"]:
        raise Unexpected("the panel's decision was refused", 0, {"title": item["reasons"][0]["message"]})
    officer = story.role("lsp_officer", lsp=story.known["lsp"])

    async def issued() -> Facts | None:
        found = await officer.get(f"/v1/certificates/{item['certificate_id']}")
        return found if found["state"] == "issued" else None

    certificate = await eventually("certificate signed", issued)
    story.known["certificate"] = certificate["certificate_id"]
    token = certificate["check_url"].rpartition("/")[2]
    story.certificate = {name: certificate[name] for name in ("certificate_id", "scheme_title", "valid_from", "valid_until", "digest", "check_url")} | {"local_url": f"{_local(story)}/V/{token}"}
    return {"certificate_id": certificate["certificate_id"], "valid_until": certificate["valid_until"], "check_url": certificate["check_url"]}


async def check_certificate(story: Story) -> Facts:
    officer = story.role("lsp_officer", lsp=story.known["lsp"])
    public = story.door.caller(None, "certificate")
    credential = await officer.get(f"/v1/certificates/{story.known['certificate']}/credential")
    checked = await public.post("/v1/verifications", credential)
    forged = json.loads(json.dumps(credential))
    forged["credentialSubject"]["achievement"]["name"] = "Juru las kelas satu"
    answer = await public.post("/v1/verifications", forged)
    story.refused.append({"what": "sertifikat yang diubah satu kata", "answer": answer["status"]})
    page = await public.ask("GET", f"/V/{story.certificate['check_url'].rpartition('/')[2]}", accept="application/json")
    pdf = await officer.ask("GET", f"/v1/certificates/{story.known['certificate']}/pdf")
    if checked["status"] != "valid" or answer["status"] != "invalid" or page.status != 200 or not bytes(pdf.body).startswith(b"%PDF"):
        raise Unexpected("the certificate's check", page.status, {"title": f"{checked['status']} / {answer['status']}"})
    return {"status": checked["status"], "checks": checked["checks"], "altered": answer["status"], "page": story.certificate["local_url"], "pdf_bytes": len(pdf.body)}


async def produce(story: Story) -> Facts:
    officer, treasurer, head = story.role("workshop_officer"), story.role("treasurer"), story.role("head")
    workshops = {one["code"]: one for one in await officer.every("/v1/workshops")}
    workshop = workshops.get("LAS-01") or await officer.post(
        "/v1/workshops", {"facility_id": FACILITY, "code": "LAS-01", "name": "Bengkel Las Mandiri", "product_classes": ["perabot_besi"], "unit_kind": "hour", "programmes": [{"programme_id": story.known["programme"], "title": "Pelatihan las SMAW"}]}
    )
    if not any(one["state"] == "active" for one in await treasurer.every("/v1/split-policies")):
        shares = [{"party": "premi", "bps": 5000}, {"party": "pnbp", "bps": 1500}, {"party": "modal", "bps": 3500}]
        body = {"facility_id": FACILITY, "base": "net_of_cost", "shares": shares, "effective_from": story.today.isoformat(), "legal_basis": "Menunggu kepastian hukum; lihat SK Kalapas", "document_hash": hashlib.sha256(b"SK").hexdigest(), "needs_legal_confirmation": True}
        policy = await treasurer.post("/v1/split-policies", body)
        await treasurer.post(f"/v1/split-policies/{policy['id']}/proposal")
        await head.post(f"/v1/split-policies/{policy['id']}/approval")
        await head.post(f"/v1/split-policies/{policy['id']}/activation")
    today = story.today.isoformat()

    async def assigned() -> Any:
        answer = await officer.ask("POST", "/v1/work-assignments", {"participant_ref": story.known["person"], "workshop_id": workshop["id"], "role": "juru las", "consented_on": today, "from_on": today})
        return answer.body if answer.status == 201 else None  # refused until the TPP's decision has come over

    await eventually("work assignment allowed by the TPP's decision", assigned)
    sku = f"RAK-{datetime.now(ZONE):%y%m%d%H%M%S}"
    store = story.role("store_officer")
    product = await store.post("/v1/products", {"workshop_id": workshop["id"], "product_class": "perabot_besi", "title": "Rak bunga besi", "description": "Rak tiga susun, cat hitam.", "unit": "buah", "variants": [{"sku": sku, "price_idr": PRICE, "weight_g": 4000}]})
    batch = await officer.post("/v1/batches", {"workshop_id": workshop["id"], "sku": sku, "qty_planned": GOODS, "material_cost_idr": MATERIAL})
    await officer.post(f"/v1/batches/{batch['id']}/start")
    await officer.post("/v1/work-logs", {"batch_id": batch["id"], "participant_ref": story.known["person"], "work_units": 37, "worked_on": today})
    await officer.post(f"/v1/batches/{batch['id']}/quality-check")
    done = await officer.post(f"/v1/batches/{batch['id']}/completion", {"qty_good": GOODS})
    await store.post(f"/v1/products/{product['id']}/publication")
    provenance = await story.anybody.get(f"/v1/products/{product['id']}/provenance")
    story.known |= {"sku": sku, "product": product["id"]}
    return {"batch": done["number"], "good": done["qty_good"], "unit_cost_idr": MATERIAL // GOODS, "provenance": provenance}


async def sell(story: Story) -> Facts:
    order = await _order(story)
    paid = await _paid(story, order)
    told = await story.anybody.ask("POST", f"/v1/payments/sandbox/{order['payment']['order_ref']}/wrong_signature")
    divided = await story.anybody.get(f"/v1/orders/{order['id']}/split?token={order['token']}")
    story.split = divided["split"]
    story.refused.append({"what": "pemberitahuan bayar dengan tanda tangan salah", "answer": told.body["answers"], "problems": told.body["problems"]})
    if sum(story.split.values()) != order["total_idr"] or told.body["answers"] != [400]:
        raise Unexpected("the split of the proceeds", 0, {"title": str(divided)})
    return {"order_id": order["id"], "state": paid["state"], "total_idr": order["total_idr"], "split": story.split}


async def sell_out(story: Story) -> Facts:
    orders = await asyncio.gather(*(_order(story) for _ in range(GOODS - 1)))
    await asyncio.gather(*(_paid(story, order) for order in orders))
    cart = await story.anybody.ask("POST", "/v1/carts", {"lines": [{"sku": story.known["sku"], "qty": 1}]})
    answer = cart if cart.status >= 400 else await story.anybody.ask("POST", "/v1/checkout", {"cart_id": cart.body["id"], "contact": _contact(8)})
    if answer.status != 409:
        raise Unexpected("the eighth buyer of seven goods", answer.status, answer.body)
    story.refused.append({"what": "pembeli kedelapan atas tujuh barang", "answer": answer.status, "code": answer.body["code"], "title": answer.body["title"]})
    return {"sold": GOODS, "eighth": answer.body["title"]}


async def balance(story: Story) -> Facts:
    balance_ = await story.role("treasurer").get("/v1/ledger/trial-balance")
    story.books = {"debit": sum(book["debit"] for book in balance_["books"]), "credit": sum(book["credit"] for book in balance_["books"])}
    if not balance_["balanced"] or story.books["debit"] != story.books["credit"] or not story.books["debit"]:
        raise Unexpected("the books do not balance", 0, story.books)
    return {"books": {book["book"]: {"debit": book["debit"], "credit": book["credit"]} for book in balance_["books"]}}


async def share_with_dinas(story: Story) -> Facts:
    registers, approves = (story.role("administrator", subject=name, facility="*", agency="*") for name in ("administrator-1", "administrator-2"))
    terms = {"regency_codes": [REGENCY], "purpose": "Penempatan kerja", "legal_basis": "Nota kesepahaman 01/2026"}
    for agency in (
        {"id": DINAS, "kind": "dinas_tk", "name": "Dinas KUKMPTK Belitung", "facility_ids": [FACILITY]},
        {"id": EMPLOYER, "kind": "employer_partner", "name": "Bengkel Las Belitung", "nib": "1234567890123"},
    ):
        if await _made(registers, "/v1/agencies", terms | agency, f"/v1/agencies/{agency['id']}"):
            await approves.post(f"/v1/agencies/{agency['id']}/approve")
    officer = story.role("case_officer")

    async def candidate() -> Facts | None:
        answer = await officer.ask("GET", f"/v1/candidates/{story.known['person']}")
        return answer.body if answer.status == 200 and answer.body.get("skills") else None

    person = await eventually("certified skill at manpower", candidate)
    await officer.do("PATCH", f"/v1/candidates/{person['id']}", {"regency_code": REGENCY}, if_match=f'"{person["version"]}"')
    texts = {one["purpose"]: one["text_version_hash"] for one in (await officer.get("/v1/consents/texts"))["items"]}
    now, later = (datetime.now(UTC) - timedelta(seconds=1)).isoformat(), (datetime.now(UTC) + timedelta(days=90)).isoformat()
    for purpose, recipient in (("dinas_registration", DINAS), ("employer_share", EMPLOYER)):
        given = {"candidate_id": person["id"], "purpose": purpose, "recipient": recipient, "fields": ["name", "regency", "skills", "availability"], "text_version_hash": texts[purpose], "given_at": now, "witness_ref": "wali-01", "expires_at": later}
        await officer.post("/v1/consents", given)
    dinas = story.role("dinas_placement", "partner", agency=DINAS, regency=REGENCY)

    async def in_feed() -> Facts | None:
        after = ""
        while True:
            page = await dinas.get(f"/v1/feed?limit=500{f'&after={after}' if after else ''}")
            found = next((item for item in page["items"] if item["subject"]["ref"] == person["id"] and item["href"]), None)
            if found or not page["has_more"]:
                return found
            after = page["next_cursor"]

    item = await eventually("candidate in the feed of the Dinas", in_feed)
    seen = await dinas.get(f"/v1/candidates/{person['id']}")
    if hashlib.sha256(seen["name"].encode()).hexdigest() != story.known["name_hash"]:
        raise Unexpected("the name disclosed to the Dinas", 0, {})
    return {"feed_item": item["type"], "available_from": seen.get("available_from"), "skills": [one["scheme_title"] for one in seen["skills"]], "name_disclosed": True}


async def place(story: Story) -> Facts:
    employer, officer = story.role("employer", "partner", employer=EMPLOYER), story.role("case_officer")
    wages = {"from_idr": 3_500_000, "to_idr": 4_500_000}
    vacancy = await employer.post("/v1/vacancies", {"position": "Juru las", "kbji_code": "7212", "headcount": 1, "regency_code": REGENCY, "valid_until": (story.today + timedelta(days=30)).isoformat(), "start_month": f"{story.today:%Y-%m}", "wage_band": wages, "requirements": {"units": [unit["code"] for unit in UNITS]}})
    application = await officer.post("/v1/job-applications", {"candidate_id": story.known["person"], "vacancy_id": vacancy["id"]})
    path = f"/v1/job-applications/{application['id']}"
    steps = ((officer, ("CONSENTED", "SUBMITTED")), (employer, ("SELECTED_FOR_INTERVIEW", "INTERVIEW_BOOKED", "OFFERED")), (officer, ("ACCEPTED",)))
    for who, states in steps:
        for state in states:
            if application["state"] != state:
                application = await who.post(f"{path}/steps", {"to": state})
    body = {"application_id": application["id"], "kind": "employee", "started_on": story.today.isoformat(), "wage_band": wages, "permit_number": "SK-ASIMILASI-01/2026"}
    placement = await officer.post("/v1/placements", body)

    async def on_timeline() -> list[Facts] | None:
        entries = await officer.every(f"/v1/participants/{story.known['person']}/timeline")
        return entries if any("placement" in entry["kind"] for entry in entries) else None

    entries = await eventually("placement on the person's timeline", on_timeline)
    return {"placement_id": placement["id"], "employer": EMPLOYER, "timeline": [entry["kind"] for entry in entries]}


async def refuse_others(story: Story) -> Facts:
    stranger = story.role("training_officer", facility=OTHER_FACILITY)
    foreign = await stranger.ask("GET", f"/v1/participants/{story.known['person']}")
    unknown = await stranger.ask("GET", "/v1/participants/00000000-0000-7000-8000-000000000000")
    nobody = await story.door.caller(None).ask("GET", "/v1/participants")
    if (foreign.status, unknown.status, nobody.status) != (404, 404, 401):
        raise Unexpected("an officer of another prison", foreign.status, foreign.body)
    story.refused.append({"what": "petugas Lapas lain melihat orang ini", "answer": foreign.status, "title": foreign.body["title"]})
    story.refused.append({"what": "tanpa token", "answer": nobody.status, "title": nobody.body["title"]})
    return {"other_prison": foreign.status, "unknown": unknown.status, "no_token": nobody.status}


STEPS: tuple[tuple[str, str, str, Step], ...] = (
    ("facility", "Administrator mendaftarkan Lapas Tanjungpandan, yang melayani dua kabupaten.", "", open_facility),
    ("snapshot", "Petugas registrasi mengunggah berkas harian; warga binaan masuk menurut selisihnya.", "training.participant-admitted.v1", import_snapshot),
    ("class", "Petugas pembinaan membuka kelas las.", "training.class-opened.v1", open_class),
    ("application", "Wali pemasyarakatan mendaftarkan seorang warga binaan.", "training.application-submitted.v1", apply_for_class),
    ("tpp", "Sidang TPP merekomendasikan pelatihan dan kerja, Kalapas menyetujui.", "training.work-eligibility-decided.v1", decide_tpp),
    ("enrolment", "Ia menjadi peserta; satu kursi terpakai.", "training.participant-enrolled.v1", enrol),
    ("attendance", "Ia hadir di setiap sesi.", "training.attendance-recorded.v1", attend),
    ("lsp", "LSP menyiapkan lisensi, kunci, skema, asesor dan TUK.", "", prepare_certification),
    ("completion", "Ia lulus pelatihan.", "training.course-completed.v1", complete_course),
    ("assessment-application", "Kelulusan itu membuka permohonan sertifikasi di LSP.", "certification.application-opened.v1", open_application),
    ("assessment", "Asesor menilai: kompeten pada semua unit.", "certification.competency-assessed.v1", assess),
    ("certificate", "Pleno memutuskan kompeten; sertifikat ditandatangani.", "certification.certificate-issued.v1", decide_panel),
    ("verification", "Siapa pun memeriksa sertifikat; yang diubah ditolak.", "", check_certificate),
    ("production", "Bengkel membuat tujuh rak; asal-usulnya tampil tanpa menyebut orang.", "marketplace.work-logged.v1", produce),
    ("sale", "Seorang pembeli memesan dan membayar; hasilnya dibagi sampai ke rupiah.", "marketplace.proceeds-split.v1", sell),
    ("sold-out", "Tujuh terjual; pembeli kedelapan diberi tahu stok habis.", "marketplace.proceeds-split.v1", sell_out),
    ("books", "Bendahara melihat buku seimbang.", "", balance),
    ("dinas", "Dengan persetujuannya, Dinas Belitung melihat calon tenaga kerja yang bersertifikat.", "", share_with_dinas),
    ("placement", "Ia diterima bekerja; penempatan tampil di lini masanya.", "manpower.placement-confirmed.v1", place),
    ("borders", "Petugas Lapas lain tidak menemukan orang ini.", "", refuse_others),
)


async def _made(caller: Caller, path: str, body: Facts, own_path: str) -> bool:
    """Make it unless it is there; True when it was made."""
    if (await caller.ask("GET", own_path)).status == 200:
        return False
    await caller.post(path, body)
    return True


def _local(story: Story) -> str:
    return story.door.address("certificate")


def _contact(number: int) -> Facts:
    return {"name": f"Pembeli {number}", "phone": f"0811000000{number}", "address": "Tanjungpandan"}


async def _order(story: Story) -> Facts:
    cart = await story.anybody.post("/v1/carts", {"lines": [{"sku": story.known["sku"], "qty": 1}]})
    return await story.anybody.post("/v1/checkout", {"cart_id": cart["id"], "contact": _contact(1)})


async def _paid(story: Story, order: Facts) -> Facts:
    await story.anybody.post(f"/v1/payments/sandbox/{order['payment']['order_ref']}/pay")

    async def paid() -> Facts | None:
        found = await story.anybody.get(f"/v1/orders/{order['id']}?token={order['token']}")
        return found if found["state"] == "paid" else None

    return await eventually("order paid", paid)
