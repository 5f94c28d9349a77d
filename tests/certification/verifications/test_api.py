"""The public check: pages, unknown codes, uploads."""

from __future__ import annotations

import pytest

from tests.certification.factories import LspHarness
from tests.certification.harness import Harness

HTML = "text/html,application/xhtml+xml"


async def test_the_page_is_indonesian_fetches_nothing_and_is_not_indexed(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    answer = await harness.get_public(certificate["check_url"], accept=HTML)
    assert answer.status_code == 200
    assert '<html lang="id">' in answer.text
    assert "Sertifikat ini asli dan berlaku." in answer.text
    assert "Siti Aminah" in answer.text
    assert "http" not in answer.text
    assert answer.headers["x-robots-tag"].startswith("noindex")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_code_is_accepted_in_lower_case_and_with_dashes(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    token = certificate["check_url"].rpartition("/")[2]
    redirect = await harness.get_public(f"/v/{token.lower()}")
    assert (redirect.status_code, redirect.headers["location"]) == (308, f"/V/{token}")
    with_dashes = f"{token[:4]}-{token[4:8]}-{token[8:]}".lower()
    assert (await harness.get_public(f"/V/{with_dashes}")).status_code == 200


@pytest.mark.parametrize("code", ["AAAAAAAAAAAA", "short", "AAAAAAAAAAA!", "%00", "AAAAAAAAAAAAA"])
async def test_a_code_that_was_never_issued_is_404(harness: Harness, code: str) -> None:
    page = await harness.get_public(f"/V/{code}")
    answer = await harness.get_public(f"/V/{code}", accept="application/json")
    assert (page.status_code, answer.status_code) == (404, 404)
    assert "Kode tidak dikenal" in page.text
    assert answer.json()["code"] == "certificate_unknown"


@pytest.mark.scenario("C2/tampering")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b'{"a": NaN}', 400, "malformed"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, 400, "malformed"),
        (b'{"a": "' + b"x" * 70_000 + b'"}', 413, "too_large"),
        (b"{}", 200, "unknown_issuer"),
        (b'{"issuer": {"id": "did:web:other.example:i:x"}}', 200, "unknown_issuer"),
    ],
)
async def test_a_bad_upload_is_answered_with_its_fault_and_never_with_500(
    harness: Harness, body: bytes, status: int, code: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = await harness.public.request(
        "POST", "/v1/verifications", content=body, headers=headers
    )
    result = answer.json()
    assert answer.status_code == status
    assert (result.get("code") or result["status"]) == code


@pytest.mark.scenario("C2/tampering")
async def test_a_changed_upload_of_our_certificate_is_invalid_and_shows_nothing(
    lsp: LspHarness,
) -> None:
    credential = await lsp.issue_credential()
    without_status = dict(credential)
    del without_status["credentialStatus"]
    attacks = (
        credential | {"name": credential["name"] + "x"},
        without_status,
        credential | {"id": "urn:uuid:00000000-0000-4000-8000-000000000000"},
    )
    for attack in attacks:
        result = await lsp.verify(attack)
        assert (result["status"], result["name"], result["scheme"]) == ("invalid", None, None)
