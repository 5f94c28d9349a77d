"""A compromised key: what it signed is withdrawn, and issued again under a new key."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import pytest

from services.certification.certificates import reissue_process, usecases
from services.certification.credentials.did import build_document
from services.certification.lsps.usecases import REISSUE_JOB
from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, Json, change, done, refused, today
from tests.fakes import eventually

KEY = f"key-{today().year}"


async def report_compromise(lsp: LspHarness, key: str = KEY) -> Json:
    """Report a key, and return the LSP."""
    return await done(change(lsp.officer, "POST", f"{lsp.path}/keys/{key}/compromise"))


async def wait_until_replaced(lsp: LspHarness, certificate: Json) -> Json:
    """Return the former certificate, once its successor has its place."""

    async def replaced() -> Json | None:
        path = f"/v1/certificates/{certificate['certificate_id']}"
        shown = await done(lsp.officer.get(path))
        return shown if shown["state"] == "replaced" else None

    return await eventually(replaced, seconds=60)


async def check(harness: Harness, certificate: Json) -> Json:
    """Return what the code of a certificate leads to."""
    answer = await harness.get_public(certificate["check_url"], accept="application/json")
    return answer.json()


@pytest.mark.scenario("C10/key")
async def test_a_second_key_of_the_year_signs_after_a_compromise(lsp: LspHarness) -> None:
    before = await done(lsp.officer.get(lsp.path))
    reported = await report_compromise(lsp)
    names = [key["name"] for key in reported["keys"]]
    assert names == [KEY, f"status-{today().year}", f"{KEY}-b"]
    [stolen, status, successor] = reported["keys"]
    assert before["keys"][0]["retired_at"] is None
    assert stolen["retired_at"] == stolen["compromised_at"] == successor["added_at"]
    assert status["compromised_at"] is status["retired_at"] is None
    again = await report_compromise(lsp)
    assert again == reported
    third = await report_compromise(lsp, f"{KEY}-b")
    assert [key["name"] for key in third["keys"]][-1] == f"{KEY}-c"
    kept = await done(change(lsp.officer, "POST", f"{lsp.path}/keys"), 201)
    assert kept == third


@pytest.mark.scenario("C10/key")
async def test_a_compromised_key_is_unlisted_and_its_uploads_are_invalid(
    harness: Harness, lsp: LspHarness
) -> None:
    credential = await lsp.issue_credential()
    assert (await lsp.verify(credential))["status"] == "valid"
    await report_compromise(lsp)
    slug = lsp.did.rpartition(":")[2]
    document = await done(harness.get_public(f"/i/{slug}/did.json"))
    assert f"{lsp.did}#{KEY}" not in document["assertionMethod"]
    assert f"{lsp.did}#{KEY}-b" in document["assertionMethod"]
    assert document == build_document(
        lsp.did,
        [
            (method["id"].partition("#")[2], method["publicKeyMultibase"])
            for method in document["verificationMethod"]
        ],
    )
    assert (await lsp.verify(credential))["status"] == "invalid"


@pytest.mark.scenario("C10/paper")
async def test_the_code_on_paper_leads_to_the_certificate_issued_again(
    harness: Harness, lsp: LspHarness
) -> None:
    """The new one says the same under an id, a code and a key of its own."""
    certificate = await lsp.issue_certificate()
    former = await lsp.get_credential(certificate["certificate_id"])
    await report_compromise(lsp)
    replaced = await wait_until_replaced(lsp, certificate)
    successor = await done(lsp.officer.get(f"/v1/certificates/{replaced['replaced_by']}"))
    credential = await lsp.get_credential(replaced["replaced_by"])
    assert (successor["state"], successor["replaces"]) == ("issued", certificate["certificate_id"])
    assert credential["proof"][0]["verificationMethod"] == f"{lsp.did}#{KEY}-b"
    assert successor["check_url"] != certificate["check_url"]
    for member in ("id", "credentialStatus", "proof"):
        assert credential[member] != former[member], member
    for member in ("validFrom", "validUntil", "awardedDate", "issuer", "name"):
        assert credential[member] == former[member], member
    assert (await lsp.verify(credential))["status"] == "valid"
    for paper in (certificate, successor):
        result = await check(harness, paper)
        assert (result["status"], result["name"]) == ("valid", "Siti Aminah")
    [event] = await eventually(
        lambda: harness.events_of(
            "certificate-replaced", certificate_id=certificate["certificate_id"]
        )
    )
    assert event["data"].keys() == {"participant_ref", "certificate_id", "replaced_by", "digest"}
    assert event["data"]["replaced_by"] == successor["certificate_id"]
    assert event["data"]["digest"] == successor["digest"]
    progress = await done(lsp.officer.get(f"{lsp.path}/keys/{KEY}"))
    assert (progress["waiting"], progress["replaced"]) == (0, 1)


@pytest.mark.scenario("C10/paper")
async def test_until_then_the_code_says_that_it_is_being_issued_again(
    harness: Harness, lsp: LspHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = await lsp.issue_certificate()
    signer: Any = harness.client.app.state.signer

    async def fail(*_: object) -> bytes:
        raise ConnectionError

    with monkeypatch.context() as away:
        away.setattr(signer, "sign", fail)
        await report_compromise(lsp)
        result = await check(harness, certificate)
        page = await harness.get_public(certificate["check_url"], accept="text/html")
        progress = await done(lsp.officer.get(f"{lsp.path}/keys/{KEY}"))
    assert (result["status"], result["name"]) == ("indeterminate", None)
    assert "Sedang diterbitkan ulang" in page.text
    assert (progress["waiting"], progress["replaced"]) == (1, 0)
    await wait_until_replaced(lsp, certificate)
    assert (await check(harness, certificate))["status"] == "valid"


class _Killed(Exception):
    """The process ends between two transactions."""


async def stop_job(harness: Harness) -> None:
    """Give the lease of the re-issue to another replica, as after a long pause."""
    app: Any = harness.client.app
    loop = app.state.life.jobs[REISSUE_JOB]
    loop._lease._until = 0.0  # noqa: SLF001
    taken = {"$set": {"holder": "another", "until": {"$add": ["$$NOW", 600_000]}}}
    await harness.engine.db.update("leases", {"_id": f"job/{REISSUE_JOB}"}, [taken], upsert=True)


async def resume_job(harness: Harness) -> None:
    """Let the re-issue work again."""
    app: Any = harness.client.app
    free = {"$set": {"holder": "", "until": "$$NOW"}}
    await harness.engine.db.update("leases", {"_id": f"job/{REISSUE_JOB}"}, [free])
    app.state.life.jobs[REISSUE_JOB].wake()


async def read_checks(harness: Harness, certificates: list[Json]) -> list[str]:
    """Return what the codes on these papers say, in alphabetical order."""
    return sorted([(await check(harness, each))["status"] for each in certificates])


@pytest.mark.scenario("C10/resume")
async def test_a_reissue_killed_half_way_gives_each_certificate_one_successor(
    harness: Harness, lsp: LspHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies after slots were leased for the second one, before that is reserved."""
    certificates = [await lsp.issue_certificate() for _ in range(2)]
    monkeypatch.setattr(reissue_process, "BATCH_SIZE", 1)
    await stop_job(harness)
    await report_compromise(lsp)
    slots = harness.client.app.state.slot_pool
    assert await reissue_process.reissue(slots, harness.runner)

    async def run_until_killed(use_case: Any, **more: Any) -> Any:
        if getattr(use_case, "func", None) is usecases.reserve_successors:
            raise _Killed
        return await harness.runner(use_case, **more)

    with pytest.raises(_Killed):
        await reissue_process.reissue(slots, cast("Any", run_until_killed))

    async def is_half_done() -> bool:
        progress = await done(lsp.officer.get(f"{lsp.path}/keys/{KEY}"))
        return (progress["waiting"], progress["replaced"]) == (1, 1)

    await eventually(is_half_done, seconds=60)
    assert await read_checks(harness, certificates) == ["indeterminate", "valid"]
    await resume_job(harness)
    for certificate in certificates:
        await wait_until_replaced(lsp, certificate)
    assert await read_checks(harness, certificates) == ["valid", "valid"]
    stored = [each for each in await harness.stored("certificates") if each["lsp_id"] == lsp.id]
    successors = sorted(each["replaces"] for each in stored if each["replaces"])
    assert successors == sorted(each["certificate_id"] for each in certificates)
    assert len({str(each["place"]) for each in stored}) == len(stored) == 4
    for certificate in certificates:
        former = certificate["certificate_id"]
        find = partial(harness.events_of, "certificate-replaced", certificate_id=former)
        assert len(await eventually(find)) == 1


async def test_suspended_stays_suspended_and_revoked_is_not_issued_again(
    harness: Harness, lsp: LspHarness
) -> None:
    suspended = await lsp.issue_certificate()
    revoked = await lsp.issue_certificate()
    await lsp.change_state(suspended, "suspension")
    await lsp.change_state(revoked, "revocation")
    await report_compromise(lsp)
    replaced = await wait_until_replaced(lsp, suspended)
    successor = await done(lsp.officer.get(f"/v1/certificates/{replaced['replaced_by']}"))
    assert successor["state"] == "suspended"
    assert (await check(harness, suspended))["status"] == "suspended"
    shown = await done(lsp.officer.get(f"/v1/certificates/{revoked['certificate_id']}"))
    assert (shown["state"], shown["replaced_by"]) == ("revoked", None)
    reinstated = await lsp.change_state(successor, "reinstatement", "data_error")
    assert reinstated["state"] == "issued"


@pytest.mark.scenario("C10/key")
async def test_a_stolen_key_signs_nothing_more_not_even_what_was_reserved(
    harness: Harness, lsp: LspHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that waits for its signature gets the new key."""
    application_id = await lsp.recommend()
    signer: Any = harness.client.app.state.signer

    async def fail(*_: object) -> bytes:
        raise ConnectionError

    with monkeypatch.context() as away:
        away.setattr(signer, "sign", fail)
        decision = await lsp.decide(lsp.sitting(application_id))
        await report_compromise(lsp)
    certificate_id = decision["items"][0]["certificate_id"]
    await lsp.wait_until_issued(certificate_id)
    credential = await lsp.get_credential(certificate_id)
    assert credential["proof"][0]["verificationMethod"] == f"{lsp.did}#{KEY}-b"


async def test_a_compromised_status_key_only_signs_no_more_lists(lsp: LspHarness) -> None:
    certificate = await lsp.issue_certificate()
    reported = await report_compromise(lsp, f"status-{today().year}")
    assert reported["keys"][-1]["name"] == f"status-{today().year}-b"
    credential = await lsp.get_credential(certificate["certificate_id"])
    assert (await lsp.verify(credential))["status"] == "valid"


async def test_an_unknown_key_is_404(lsp: LspHarness) -> None:
    path = f"{lsp.path}/keys/key-1999"
    assert await refused(lsp.officer.get(path), 404) == {"key_unknown"}
    request = change(lsp.officer, "POST", f"{path}/compromise")
    assert await refused(request, 404) == {"key_unknown"}
