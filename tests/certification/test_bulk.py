"""A thousand certificates: each once, each its own, one bad one alone."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial

import pytest
from prometheus_client import REGISTRY

from chassis.ids import new_id
from chassis.persistence.mongo import updating
from services.certification.applications.rules import (
    Application,
    ApplicationState,
    Assignment,
    PrintedName,
    Recommendation,
    Result,
)
from services.certification.applications.usecases import name_context
from services.certification.certificates import paper
from services.certification.certificates.jobs import sign_reserved
from services.certification.credentials import proof
from services.certification.metrics.jobs import measure
from services.certification.origins.rules import Origin
from services.certification.transaction import Transaction
from services.certification.vault import FieldCipher
from tests.certification.factories import CERTIFIED, Issuer
from tests.certification.harness import UNITS, Json, Lsp, Stage, done, today
from tests.fakes import eventually

MANY, SITTING = 1_000, 500


async def many_recommended(stage: Stage, lsp: Lsp, count: int) -> list[str]:
    """So many applications that wait for the panel."""
    ids = [new_id() for _ in range(count)]

    async def add(part: list[str], tx: Transaction) -> None:
        for id_ in part:
            origin = tx.origins.add(
                Origin(
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
            )
            sealed = tx.cipher.encrypt("Siti Aminah", name_context(id_))
            tx.applications.add(
                Application(
                    id=id_,
                    lsp_id=lsp.id,
                    origin_ref=origin.id,
                    scheme_ref=lsp.scheme_ref,
                    scheme_id=f"{lsp.scheme_ref}:1",
                    opened_on=today(),
                    state=ApplicationState.RECOMMENDED,
                    name=PrintedName(
                        sealed=sealed,
                        fetched_by="one",
                        fetched_at=tx.now,
                        confirmed_by="other",
                        confirmed_at=tx.now,
                    ),
                    assessor_id=lsp.assessor["assessor_id"],
                    assignment=Assignment(
                        assessor_id=lsp.assessor["assessor_id"],
                        met_no="m",
                        assessor_name="Asesor Satu",
                        venue_id=lsp.venue["venue_id"],
                        held_on=today(),
                        conflict_free=True,
                    ),
                    results={unit["code"]: Result.K for unit in UNITS},
                    recommendation=Recommendation(competent=True, by="assessor", at=tx.now),
                )
            )

    for start in range(0, count, 250):
        await stage.as_service(partial(add, ids[start : start + 250]))
    return ids


@pytest.mark.scenario("C15/bulk")
async def test_a_thousand_certificates_from_sittings_sent_three_times_with_several_signers_are_a_thousand(
    stage: Stage, lsp: Lsp
) -> None:
    ids = await many_recommended(stage, lsp, MANY)
    sittings = [
        lsp.sitting(*ids[start : start + SITTING], minutes_no=f"BA-{start}")
        for start in range(0, MANY, SITTING)
    ]

    async def send(number: int) -> Json:
        return await done(
            lsp.committee.post(
                "/v1/panel-decisions",
                json=sittings[number],
                headers={"idempotency-key": f"{lsp.id}-{number}"},
            ),
            201,
        )

    async def sign() -> None:
        while await sign_reserved(
            stage.client.app.state.signer, stage.client.app.state.cipher, stage.runner
        ):
            pass

    decided = await asyncio.gather(
        *(send(number) for number in range(len(sittings)) for _ in range(3))
    )
    assert len({one["panel_decision_id"] for one in decided}) == len(sittings)
    await asyncio.gather(sign(), sign())

    async def all_issued() -> bool:
        return len(await stage.stored("certificates", lsp_id=lsp.id, state="issued")) == MANY

    await eventually(all_issued, seconds=60)
    certificates = await stage.stored("certificates", lsp_id=lsp.id)
    assert len(certificates) == MANY
    for distinct in (
        {one["_id"] for one in certificates},
        {one["token"] for one in certificates},
        {one["subject_id"] for one in certificates},
        {one["application_id"] for one in certificates},
        {
            (one["place"]["revocation"]["list_id"], one["place"]["revocation"]["index"])
            for one in certificates
        },
        {
            (one["place"]["suspension"]["list_id"], one["place"]["suspension"]["index"])
            for one in certificates
        },
    ):
        assert len(distinct) == MANY
    rows = await stage.stored(
        "outbox",
        type="certification.certificate-issued.v1",
        aggregate_id={"$in": [one["_id"] for one in certificates]},
    )
    assert len(rows) == MANY


@pytest.mark.scenario("C15/failure")
async def test_one_that_cannot_be_signed_is_reported_and_waits_while_the_others_are_issued(
    stage: Stage, lsp: Lsp
) -> None:
    ids = await many_recommended(stage, lsp, 10)
    good = (await stage.stored("applications", _id=ids[3]))[0]["name"]["sealed"]
    await stage.client.app.state.life.db.bulk(
        "applications", [updating(ids[3], {"$set": {"name.sealed": good[:-8] + "AAAAAAA="}})]
    )
    decided = await done(lsp.committee.post("/v1/panel-decisions", json=lsp.sitting(*ids)), 201)

    async def settled() -> list[Json] | None:
        found = await stage.stored("certificates", lsp_id=lsp.id)
        return found if all(one["state"] == "issued" or one["failure"] for one in found) else None

    found = await eventually(settled)
    assert sorted(one["state"] for one in found) == ["issued"] * 9 + ["reserved"]
    bad = decided["items"][3]["certificate_id"]
    assert (await done(lsp.officer.get(f"/v1/certificates/{bad}")))["failure"] == "VaultUnreadable"
    await measure(stage.runner)
    assert REGISTRY.get_sample_value("certification_queue_certificates", {"state": "stuck"}) == 1
    assert REGISTRY.get_sample_value("certification_in_force_certificates") == len(
        await stage.stored("certificates", state="issued")
    )
    await stage.client.app.state.life.db.bulk(
        "certificates", [updating(bad, {"$set": {"sealed_name": good}})]
    )
    await done(lsp.officer.post(f"/v1/certificates/{bad}/signing"))
    await lsp.issued(bad)


@pytest.mark.scenario("C15/speed")
def test_a_paper_takes_less_than_20_ms_of_a_processor() -> None:
    one = paper.Paper(
        issuer_name=CERTIFIED.issuer_name,
        name=CERTIFIED.name,
        scheme=CERTIFIED.scheme_title,
        units=tuple((unit.code, unit.title, unit.framework) for unit in CERTIFIED.units),
        valid_from=CERTIFIED.valid_from,
        valid_until=CERTIFIED.valid_until,
        check_url="HTTPS://SERTIFIKAT.EXAMPLE/V/ABCDEFGH2345",
        token="ABCDEFGH2345",
    )
    first = paper.render(one)
    began = time.process_time()
    assert all(paper.render(one) == first for _ in range(20))
    assert (time.process_time() - began) / 20 < 0.020


@pytest.mark.scenario("C15/speed")
def test_two_hundred_certificates_are_signed_and_sealed_in_less_than_a_second_of_a_processor() -> (
    None
):
    issuer, vault = Issuer(), FieldCipher(bytes(32))
    began = time.process_time()
    for number in range(200):
        credential = issuer.certificate(subject_id=f"c1b7f0de-3a7d-4a43-8f52-{number:012}")
        proof.digest(credential)
        vault.encrypt(json.dumps(credential), "here")
    assert time.process_time() - began < 1
