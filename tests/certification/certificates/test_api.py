"""Revocation and suspension.

They take effect at once in our verification and in the public list on the next tick. Their cause
is never public.
"""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from services.certification.certificates.rules import RevocationCause
from services.certification.statuslists import bits
from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, Json, change, refused
from tests.fakes import eventually


async def read_bit(harness: Harness, credential: Json, purpose: str) -> bool | None:
    """Return the certificate's bit in the public list; None while there is no list."""
    entries = {entry["statusPurpose"]: entry for entry in credential["credentialStatus"]}
    entry = entries[purpose]
    answer = await harness.get_public(entry["statusListCredential"])
    if answer.status_code != 200:
        return None
    data = bits.decode(answer.json()["credentialSubject"]["encodedList"])
    return bits.is_raised(data, int(entry["statusListIndex"]))


async def wait_for_bit(
    harness: Harness, credential: Json, purpose: str, *, is_raised: bool
) -> None:
    async def has_bit() -> bool:
        return await read_bit(harness, credential, purpose) is is_raised

    await eventually(has_bit)


@pytest.mark.scenario("C4/revocation")
async def test_a_revocation_counts_at_once_here_and_in_the_list_within_a_tick(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    credential = await lsp.get_credential(certificate["certificate_id"])
    await wait_for_bit(harness, credential, "revocation", is_raised=False)
    await lsp.change_state(certificate, "revocation")
    result = await lsp.verify(credential)
    assert result["status"] == "revoked"
    assert (result["checks"]["status"], result["checks"]["digest"]) == ("failed", "passed")
    await wait_for_bit(harness, credential, "revocation", is_raised=True)
    assert await read_bit(harness, credential, "suspension") is False


@pytest.mark.scenario("C4/revocation")
async def test_a_second_revocation_changes_nothing(lsp: LspHarness) -> None:
    certificate = await lsp.issue_certificate()
    revoked = await lsp.change_state(certificate, "revocation")
    assert await lsp.change_state(certificate, "revocation", "data_error") == revoked


@pytest.mark.scenario("C4/revocation")
async def test_a_revocation_cannot_be_undone(lsp: LspHarness) -> None:
    certificate = await lsp.issue_certificate()
    await lsp.change_state(certificate, "revocation")
    for verb in ("reinstatement", "suspension"):
        path = f"/v1/certificates/{certificate['certificate_id']}/{verb}"
        request = change(lsp.officer, "POST", path, json={"cause": "data_error"})
        assert await refused(request, 409) == {"certificate_state_differs"}


@pytest.mark.scenario("C4/revocation")
async def test_the_cause_of_a_revocation_is_never_public(harness: Harness, lsp: LspHarness) -> None:
    certificate = await lsp.issue_certificate()
    certificate_id = certificate["certificate_id"]
    credential = await lsp.get_credential(certificate_id)
    await lsp.change_state(certificate, "revocation")
    [event] = await eventually(
        lambda: harness.events_of("certificate-revoked", certificate_id=certificate_id)
    )
    assert event["data"].keys() == {"participant_ref", "certificate_id", "scheme_id"}
    page = await harness.get_public(certificate["check_url"])
    result = json.dumps(await lsp.verify(credential))
    assert "Dicabut" in page.text
    for text in (page.text, result, json.dumps(event)):
        assert "misuse" not in text
    for text in (page.text, result):
        assert lsp.officer.caller.subject not in text


@pytest.mark.scenario("C4/revocation")
async def test_the_list_of_causes_is_closed_and_contains_no_conviction(lsp: LspHarness) -> None:
    assert set(RevocationCause) == {
        "data_error",
        "replaced",
        "assessment_irregularity",
        "misuse_of_certificate",
        "holder_request",
        "issuer_key_compromise",
        "scheme_withdrawn",
    }
    certificate = await lsp.issue_certificate()
    path = f"/v1/certificates/{certificate['certificate_id']}/revocation"
    for cause in ("conviction", "suspicion", ""):
        request = change(lsp.officer, "POST", path, json={"cause": cause})
        assert await refused(request) == {"body_invalid"}


@pytest.mark.scenario("C5/suspension")
async def test_a_suspended_certificate_is_valid_again_once_reinstated(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    credential = await lsp.get_credential(certificate["certificate_id"])
    await lsp.change_state(certificate, "suspension", "assessment_irregularity")
    assert (await lsp.verify(credential))["status"] == "suspended"
    await wait_for_bit(harness, credential, "suspension", is_raised=True)
    await lsp.change_state(certificate, "reinstatement", "data_error")
    assert (await lsp.verify(credential))["status"] == "valid"
    await wait_for_bit(harness, credential, "suspension", is_raised=False)


@pytest.mark.scenario("C5/suspension")
async def test_each_change_of_state_is_stored_and_published(
    harness: Harness, lsp: LspHarness
) -> None:
    """A revocation after a suspension outweighs it."""
    certificate = await lsp.issue_certificate()
    credential = await lsp.get_credential(certificate["certificate_id"])
    await lsp.change_state(certificate, "suspension", "assessment_irregularity")
    await lsp.change_state(certificate, "reinstatement", "data_error")
    await lsp.change_state(certificate, "suspension")
    revoked = await lsp.change_state(certificate, "revocation")
    assert (await lsp.verify(credential))["status"] == "revoked"
    changes = revoked["changes"]
    assert [(entry["state"], entry["cause"]) for entry in changes] == [
        ("suspended", "assessment_irregularity"),
        ("issued", "data_error"),
        ("suspended", "misuse_of_certificate"),
        ("revoked", "misuse_of_certificate"),
    ]
    assert {entry["by"] for entry in changes} == {lsp.officer.caller.subject}
    moments = [datetime.fromisoformat(entry["at"]) for entry in changes]
    assert moments == sorted(moments)

    async def read_kinds() -> list[str] | None:
        kinds = [
            event["type"].split(".")[1]
            for event in harness.events
            if event["data"].get("certificate_id") == certificate["certificate_id"]
        ]
        return kinds if len(kinds) == 5 else None

    assert await eventually(read_kinds) == [
        "certificate-issued",
        "certificate-suspended",
        "certificate-reinstated",
        "certificate-suspended",
        "certificate-revoked",
    ]
