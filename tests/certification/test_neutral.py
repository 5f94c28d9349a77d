"""Nothing that a visitor, holder or employer gets reveals where the holder was.

Source: certification 12, C16.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pypdf
import pytest

from chassis.texts import find_denied_words
from tests.certification.factories import LspHarness, application_path
from tests.certification.harness import Harness, Json, done

Texts = list[tuple[str, str]]


async def collect_public_texts(harness: Harness, lsp: LspHarness) -> Texts:
    """Return everything that is published about a certificate, as pairs of source and text."""
    certificate = await lsp.issue_certificate()
    credential = await lsp.get_credential(certificate["certificate_id"])
    texts: Texts = [
        ("credential", json.dumps(credential)),
        ("verification", json.dumps(await lsp.verify(credential))),
        ("unknown", json.dumps(await lsp.verify({}))),
    ]
    for url in public_urls(certificate, credential, lsp):
        for accept in ("text/html", "application/json"):
            texts.append((url, await read_public(harness, url, accept)))
    paper = await lsp.officer.get(f"/v1/certificates/{certificate['certificate_id']}/pdf")
    texts.append(("pdf headers", str(dict(paper.headers))))
    texts.extend(texts_of_pdf(paper.content))
    return texts


def public_urls(certificate: Json, credential: Json, lsp: LspHarness) -> list[str]:
    """Return the public addresses of a certificate, and some that do not exist."""
    token = certificate["check_url"].rpartition("/")[2]
    scheme_page = credential["credentialSubject"]["achievement"]["id"]
    lists = [entry["statusListCredential"] for entry in credential["credentialStatus"]]
    return [
        "/",
        f"/V?kode={token}",
        "/V?kode=x",
        f"/V/{token}",
        "/V/AAAAAAAAAAAA",
        "/V/x",
        f"/v/{token}",
        f"/i/{lsp.did.rpartition(':')[2]}/did.json",
        scheme_page,
        f"{scheme_page}9",
        *lists,
    ]


async def read_public(harness: Harness, url: str, accept: str) -> str:
    """Return address, headers and body of an answer; the body of a problem is left out.

    The gateway replaces the bodies of problems on the certificate host.
    """
    answer = await harness.get_public(url, accept)
    if answer.status_code != 404:
        assert answer.headers["x-robots-tag"].startswith("noindex"), url
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    is_problem = answer.headers.get("content-type", "").startswith("application/problem")
    body = "" if is_problem else answer.text
    return f"{url}\n{headers}\n{body}"


def texts_of_pdf(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield text, information, XMP and font names of a PDF, and every byte outside its streams.

    A compressed stream is no text: three of its bytes may be the letters of a short word.
    """
    reader = pypdf.PdfReader(io.BytesIO(content))
    outside = re.sub(rb"stream\r?\n.*?endstream", b"", content, flags=re.DOTALL)
    yield "pdf bytes", outside.decode("latin-1")
    yield "pdf information", str(reader.metadata)
    root: Any = reader.trailer["/Root"]
    yield "pdf xmp", root["/Metadata"].get_data().decode()
    assert not reader.attachments
    for page in reader.pages:
        yield "pdf text", page.extract_text()
        yield "pdf resources", str(page["/Resources"])


@pytest.mark.scenario("C16/bytes", "C17/pages")
async def test_nothing_that_is_published_contains_a_denied_word(
    harness: Harness, lsp: LspHarness
) -> None:
    """Pages, paper, credential, lists, addresses and headers are searched."""
    texts = await collect_public_texts(harness, lsp)
    denied = [(source, find_denied_words(text)) for source, text in texts]
    assert [(source, words) for source, words in denied if words] == []
    assert len({source for source, _ in texts}) > 12


@pytest.mark.scenario("C17/pages")
async def test_a_unit_titled_with_a_trade_word_is_published_and_issued(lsp: LspHarness) -> None:
    credential = await lsp.issue_credential()
    alignment = credential["credentialSubject"]["achievement"]["alignment"]
    assert "Mengukur tahanan isolasi" in [unit["targetName"] for unit in alignment]


@pytest.mark.scenario("C16/bytes")
async def test_nothing_that_is_published_names_venue_course_or_person(
    harness: Harness, lsp: LspHarness
) -> None:
    texts = await collect_public_texts(harness, lsp)
    published = "\n".join(text for _, text in texts)
    hidden = {
        lsp.id,
        lsp.venue["venue_id"],
        lsp.venue["name"],
        lsp.assessor["name"],
        lsp.assessor["met_no"],
    }
    references = ("_id", "participant_ref", "enrolment_id", "class_id", "programme_id")
    for origin in await harness.stored("origins", lsp_id=lsp.id):
        hidden.add(origin["course_title"])
        hidden.update(origin[name] for name in references)
    assert [text for text in hidden if text in published] == []


async def test_two_certificates_cannot_be_linked_by_ids_or_slots(lsp: LspHarness) -> None:
    """Ids, subject ids and slots differ, and the moment of signing is the same for all."""
    first = await lsp.issue_credential()
    second = await lsp.issue_credential()
    assert first["credentialSubject"]["id"] != second["credentialSubject"]["id"]
    assert first["id"] != second["id"]
    first_index = int(first["credentialStatus"][0]["statusListIndex"])
    second_index = int(second["credentialStatus"][0]["statusListIndex"])
    assert abs(first_index - second_index) > 1
    assert first["proof"][0]["created"] == second["proof"][0]["created"]


async def test_staff_bodies_never_join_a_certificate_with_a_person(lsp: LspHarness) -> None:
    certificate = await lsp.issue_certificate()
    [origin] = await lsp.harness.stored("origins", lsp_id=lsp.id)
    certificates = await done(lsp.officer.get("/v1/certificates"))
    assert origin["participant_ref"] not in json.dumps(certificates)
    path = application_path(certificate["application_id"])
    application = await done(lsp.officer.get(path))
    assert certificate["certificate_id"] not in json.dumps(application)
