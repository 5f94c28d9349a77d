"""The public check: pages, unknown codes, uploads."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from chassis.ids import utc_now
from chassis.persistence.mongo import updating
from services.certification.credentials.did import assertion_keys
from services.certification.statuslists.rules import FetchedList, accept_list
from services.certification.transaction import Transaction
from services.certification.verifications.usecases import read_lists
from tests.certification.factories import LspHarness
from tests.certification.harness import Harness, done
from tests.fakes import eventually

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


async def test_the_page_at_the_root_has_the_field_and_says_whose_page_it_is(
    harness: Harness, lsp: LspHarness
) -> None:
    """It works without script, and its form leads to the certificate."""
    certificate = await lsp.issue_certificate()
    page = await harness.get_public("/", accept=HTML)
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "sertifikat.example" in page.text
    assert "Halaman resmi pemeriksaan sertifikat" in page.text
    assert (await done(lsp.officer.get(lsp.path)))["name"] in page.text
    [action] = re.findall(r'<form action="([^"]+)" method="get"', page.text)
    [field] = re.findall(r'<input [^>]*name="([^"]+)"', page.text)
    assert "form-action 'self'" in page.headers["content-security-policy"]
    token = certificate["check_url"].rpartition("/")[2]
    for typed in (
        token,
        f" {token[:4]}-{token[4:8]}-{token[8:]} ".lower(),
        f"{token[:4]} {token[4:8]} {token[8:]}",
        certificate["check_url"],
    ):
        answer = await harness.get_public(f"{action}?{urlencode({field: typed})}", accept=HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/V/{token}"), typed


@pytest.mark.parametrize("typed", ["", "x", "%3Cscript%3E", "A" * 150])
async def test_a_typed_code_that_cannot_be_one_shows_the_field_again(
    harness: Harness, typed: str
) -> None:
    answer = await harness.get_public(f"/V?kode={typed}", accept=HTML)
    assert answer.status_code == 404
    assert "Kode tidak dikenal" in answer.text
    assert '<form action="/V"' in answer.text
    assert "script" not in answer.text


async def test_the_check_page_says_whose_page_it_is_and_when_it_was_checked(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    answer = await harness.get_public(certificate["check_url"], accept=HTML)
    name = (await done(lsp.officer.get(lsp.path)))["name"]
    assert f"Halaman resmi pemeriksaan sertifikat dari {name}" in answer.text
    assert "BNSP-LSP-0001-ID" in answer.text
    assert "Keadaan pada" in answer.text
    assert "sampai sebelum" not in answer.text
    assert "sampai dengan" in answer.text


@pytest.mark.scenario("C6/lists")
async def test_an_older_list_replayed_into_the_store_revives_no_certificate(
    harness: Harness, lsp: LspHarness
) -> None:
    """The tick of the newest publication exposes the older content; our record decides."""
    certificate = await lsp.issue_certificate()
    credential = await lsp.get_credential(certificate["certificate_id"])
    url = credential["credentialStatus"][0]["statusListCredential"]
    list_id = url.rpartition("/")[2]
    published = await eventually(lambda: harness.stored("publications", _id=list_id))
    await lsp.change_state(certificate, "revocation")
    later = utc_now() + timedelta(hours=1)  # the job publishes nothing until then
    replay = {"$set": {"content": published[0]["content"], "tick": later}}
    await harness.client.app.state.life.db.bulk("publications", [updating(list_id, replay)])

    async def fetch(tx: Transaction) -> dict[str, FetchedList]:
        issuer = await tx.lsps.get(lsp.id)
        return await read_lists(issuer, [url], tx)

    fetched = (await harness.run_as_service(fetch))[url]
    slug = lsp.did.rpartition(":")[2]
    document = await done(harness.get_public(f"/i/{slug}/did.json"))
    accepted = accept_list(
        fetched,
        url=url,
        purpose="revocation",
        issuer=lsp.did,
        keys=assertion_keys(document, lsp.did) or {},
        now=utc_now(),
    )
    assert accepted is None
    assert (await lsp.verify(credential))["status"] == "revoked"
    assert "Dicabut" in (await harness.get_public(certificate["check_url"], accept=HTML)).text
