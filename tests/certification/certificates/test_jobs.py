"""The signing job: a thousand certificates, each once; a failure does not stop others."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial

import pytest
from prometheus_client import REGISTRY

from chassis.ids import new_id
from chassis.persistence.field_encryption import FieldCipher, KeyRing
from chassis.persistence.mongo import updating
from services.certification.applications.rules import (
    Application,
    ApplicationState,
    Assignment,
    CompetencyResult,
    PrintedName,
    Recommendation,
)
from services.certification.applications.usecases import name_context
from services.certification.certificates.jobs import sign_reserved
from services.certification.credentials import proof
from services.certification.metrics.jobs import measure
from services.certification.origins.rules import Origin
from services.certification.transaction import Transaction
from tests.certification.credentials.factories import Issuer
from tests.certification.factories import UNITS, LspHarness
from tests.certification.harness import Harness, Json, change, done, today
from tests.fakes import eventually

CERTIFICATES = 1_000
PER_SITTING = 500
PER_TRANSACTION = 250
MAX_REPEATS = 5
BUSY = 503


def recommended(
    application_id: str, origin: Origin, lsp: LspHarness, tx: Transaction
) -> Application:
    """Return an application that waits for the panel."""
    assessor_id = lsp.assessor["assessor_id"]
    return Application(
        id=application_id,
        lsp_id=lsp.id,
        origin_ref=origin.id,
        scheme_ref=lsp.scheme_ref,
        scheme_id=f"{lsp.scheme_ref}:1",
        opened_on=today(),
        state=ApplicationState.RECOMMENDED,
        name=PrintedName(
            sealed=tx.cipher.encrypt_to_text("Siti Aminah", name_context(application_id)),
            fetched_by="one",
            fetched_at=tx.now,
            confirmed_by="other",
            confirmed_at=tx.now,
        ),
        assessor_id=assessor_id,
        assignment=Assignment(
            assessor_id=assessor_id,
            met_no="m",
            assessor_name="Asesor Satu",
            venue_id=lsp.venue["venue_id"],
            held_on=today(),
            conflict_free=True,
        ),
        results={unit["code"]: CompetencyResult.K for unit in UNITS},
        recommendation=Recommendation(competent=True, by="assessor", at=tx.now),
    )


async def add_recommended(application_ids: list[str], lsp: LspHarness, tx: Transaction) -> None:
    """Add applications that wait for the panel, with their origins."""
    for application_id in application_ids:
        origin = Origin(
            id=new_id(),
            lsp_id=lsp.id,
            participant_ref=new_id(),
            enrolment_id=new_id(),
            class_id="c",
            programme_id="p",
            programme_version=1,
            course_title="x",
            completed_on=today(),
            instructor_refs=frozenset(),
        )
        tx.origins.add(origin)
        tx.applications.add(recommended(application_id, origin, lsp, tx))


async def create_recommended(lsp: LspHarness, count: int) -> list[str]:
    """Return the ids of this many applications that wait for the panel."""
    ids = [new_id() for _ in range(count)]
    for start in range(0, count, PER_TRANSACTION):
        part = ids[start : start + PER_TRANSACTION]
        await lsp.harness.run_as_service(partial(add_recommended, part, lsp))
    return ids


def slot_of(certificate: Json, purpose: str) -> tuple[str, int]:
    slot = certificate["place"][purpose]
    return slot["list_id"], slot["index"]


async def decide_when_free(sitting: Json, key: str, lsp: LspHarness) -> Json:
    """Enter a sitting; a busy answer is followed by a repeat with the same key, as clients do."""
    headers = {"idempotency-key": key}
    answer = await lsp.committee.post("/v1/panel-decisions", json=sitting, headers=headers)
    for _ in range(MAX_REPEATS):
        if answer.status_code != BUSY:
            break
        answer = await lsp.committee.post("/v1/panel-decisions", json=sitting, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.scenario("C15/bulk")
async def test_a_thousand_certificates_are_issued_once_each(
    harness: Harness, lsp: LspHarness
) -> None:
    """Each sitting is sent three times, and two signers run beside the job."""
    ids = await create_recommended(lsp, CERTIFICATES)
    sittings = {
        f"{lsp.id}-{start}": lsp.sitting(*ids[start : start + PER_SITTING])
        for start in range(0, CERTIFICATES, PER_SITTING)
    }

    async def sign() -> None:
        state = harness.client.app.state
        while await sign_reserved(state.signer, state.cipher, harness.runner):
            pass

    async def read_issued() -> list[Json] | None:
        issued = await harness.stored("certificates", lsp_id=lsp.id, state="issued")
        return issued if len(issued) == CERTIFICATES else None

    requests = [
        decide_when_free(sitting, key, lsp) for key, sitting in sittings.items() for _ in range(3)
    ]
    decisions = await asyncio.gather(*requests)
    decision_ids = {decision["panel_decision_id"] for decision in decisions}
    assert len(decision_ids) == len(sittings)
    await asyncio.gather(sign(), sign())
    await eventually(read_issued, seconds=60)

    certificates = await harness.stored("certificates", lsp_id=lsp.id)
    assert len(certificates) == CERTIFICATES
    for name in ("_id", "token", "subject_id", "application_id"):
        assert len({certificate[name] for certificate in certificates}) == CERTIFICATES, name
    for purpose in ("revocation", "suspension"):
        slots = {slot_of(certificate, purpose) for certificate in certificates}
        assert len(slots) == CERTIFICATES, purpose
    rows = await harness.stored(
        "outbox",
        type="certification.certificate-issued.v1",
        aggregate_id={"$in": [certificate["_id"] for certificate in certificates]},
    )
    assert len(rows) == CERTIFICATES


@pytest.mark.scenario("C15/failure")
async def test_a_certificate_that_cannot_be_signed_waits_alone(
    harness: Harness, lsp: LspHarness
) -> None:
    """It is reported, counted as stuck, and issued after the fault is repaired."""
    db = harness.client.app.state.life.db
    ids = await create_recommended(lsp, 10)
    [application] = await harness.stored("applications", _id=ids[3])
    sealed = application["name"]["sealed"]
    broken = sealed[:-8] + "AAAAAAA="
    await db.bulk("applications", [updating(ids[3], {"$set": {"name.sealed": broken}})])
    decision = await lsp.decide(lsp.sitting(*ids))

    async def read_processed() -> list[Json] | None:
        certificates = await harness.stored("certificates", lsp_id=lsp.id)
        waiting = [
            certificate
            for certificate in certificates
            if certificate["state"] != "issued" and not certificate["failure"]
        ]
        return None if waiting else certificates

    certificates = await eventually(read_processed)
    states = sorted(certificate["state"] for certificate in certificates)
    assert states == ["issued"] * 9 + ["reserved"]
    stuck_id = decision["items"][3]["certificate_id"]
    path = f"/v1/certificates/{stuck_id}"
    assert (await done(lsp.officer.get(path)))["failure"] == "VaultUnreadable"

    await measure(harness.runner)
    stuck = REGISTRY.get_sample_value("certification_queue_certificates", {"state": "stuck"})
    in_force = REGISTRY.get_sample_value("certification_in_force_certificates")
    assert stuck == 1
    assert in_force == len(await harness.stored("certificates", state="issued"))
    assert (REGISTRY.get_sample_value("certification_licence_left_seconds") or 0) > 0
    assert REGISTRY.get_sample_value("certification_signing_key_age_seconds") is not None

    await db.bulk("certificates", [updating(stuck_id, {"$set": {"sealed_name": sealed}})])
    await done(change(lsp.officer, "POST", f"{path}/signing"))
    await lsp.wait_until_issued(stuck_id)


@pytest.mark.scenario("C15/speed")
def test_two_hundred_certificates_are_signed_within_a_second_of_cpu_time() -> None:
    issuer = Issuer()
    cipher = FieldCipher(KeyRing("name_key", bytes(32)))
    started = time.process_time()
    for number in range(200):
        credential = issuer.certificate(subject_id=f"c1b7f0de-3a7d-4a43-8f52-{number:012}")
        proof.digest(credential)
        cipher.encrypt_to_text(json.dumps(credential), "here")
    assert time.process_time() - started < 1
