"""The printed paper: text, QR code and page agree; what is archived stays."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import pypdfium2
import pytest
import zxingcpp

from tests.certification.factories import EMBLEM, SCHEME_UNITS, SIGNATORY, LspHarness
from tests.certification.harness import Harness, Json, change, done, refused

NUMBERS: Json = {"certificate_no": "43211 7411 2 0000123 2026", "registration_no": "KON.1234 2026"}


def text_of(pdf: bytes) -> str:
    """Return the text of all pages, with single spaces."""
    texts = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)]
    return " ".join(" ".join(texts).split())


async def record_numbers(lsp: LspHarness, certificate: Json, **changed: str) -> Json:
    path = f"/v1/certificates/{certificate['certificate_id']}/numbers"
    return await done(change(lsp.officer, "PUT", path, json=NUMBERS | changed))


@pytest.mark.scenario("C12/paper")
async def test_text_and_qr_of_the_paper_and_the_page_behind_it_agree(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    pdf = await lsp.download_paper(certificate)
    assert await lsp.download_paper(certificate) == pdf
    text = text_of(pdf)
    # pypdfium2 ships only half of its types.
    page = cast("Any", pypdfium2.PdfDocument(pdf)[0])
    image: Any = page.render(scale=2).to_pil()
    codes = zxingcpp.read_barcodes(image)
    assert [code.text for code in codes] == [certificate["check_url"]]
    assert certificate["check_url"] in text

    answer = await harness.get_public(certificate["check_url"], accept="application/json")
    result = answer.json()
    assert result["status"] == "valid"
    printed = [result["name"], result["scheme"], result["issuer_name"]]
    printed += [unit["code"] for unit in result["units"]]
    printed += [unit["title_en"] for unit in SCHEME_UNITS]
    printed += [SIGNATORY["name"], SIGNATORY["office"], f"{SIGNATORY['place']}, "]
    printed += [certificate["licence_no"]]
    assert [value for value in printed if value not in text] == []


async def test_a_number_after_the_issue_makes_the_second_version_of_the_paper(
    harness: Harness, lsp: LspHarness
) -> None:
    """The first version stays in the archive, and the credential is not signed again."""
    certificate = await lsp.issue_certificate()
    first = await lsp.download_paper(certificate)
    numbered = await record_numbers(lsp, certificate)
    assert (numbered["paper_version"], numbered["digest"]) == (2, certificate["digest"])
    assert numbered["numbers"] == NUMBERS | {"blank_no": ""}
    second = await lsp.download_paper(certificate)
    assert NUMBERS["certificate_no"] in text_of(second)
    assert NUMBERS["certificate_no"] not in text_of(first)
    assert await lsp.download_paper(certificate, paper_version=1) == first
    assert await lsp.download_paper(certificate, paper_version=2) == second
    assert await record_numbers(lsp, certificate) == numbered
    stored = await harness.stored("papers", lsp_id=lsp.id)
    digests = {paper["digest"] for paper in stored}
    assert digests == {hashlib.sha256(pdf).hexdigest() for pdf in (first, second)}
    assert "43211" not in str(stored)


async def test_what_is_printed_stays_when_signatory_and_emblem_change(lsp: LspHarness) -> None:
    """Who signs is fixed with the decision, and a printed paper never changes."""
    certificate = await lsp.issue_certificate()
    pdf = await lsp.download_paper(certificate)
    other = SIGNATORY | {"name": "Orang Lain"}
    await done(change(lsp.officer, "PUT", f"{lsp.path}/signatory", json=other))
    assert await lsp.download_paper(certificate) == pdf
    await record_numbers(lsp, certificate)
    assert SIGNATORY["name"] in text_of(await lsp.download_paper(certificate))


async def test_a_version_of_the_paper_that_does_not_exist_is_404(lsp: LspHarness) -> None:
    certificate = await lsp.issue_certificate()
    path = f"/v1/certificates/{certificate['certificate_id']}/pdf"
    request = lsp.officer.get(path, params={"paper_version": 2})
    assert await refused(request, 404) == {"paper_unknown"}
    await record_numbers(lsp, certificate)
    request = lsp.officer.get(path, params={"paper_version": 1})
    assert await refused(request, 404) == {"paper_unknown"}


async def test_bnsp_gives_a_number_to_one_certificate_of_an_lsp(
    harness: Harness, lsp: LspHarness
) -> None:
    first = await lsp.issue_certificate()
    second = await lsp.issue_certificate()
    await record_numbers(lsp, first)
    path = f"/v1/certificates/{second['certificate_id']}/numbers"
    assert await refused(change(lsp.officer, "PUT", path, json=NUMBERS), 409) == {"duplicate"}
    await record_numbers(lsp, second, certificate_no="other", registration_no="")
    stranger = await LspHarness.create(harness)
    await record_numbers(stranger, await stranger.issue_certificate())


@pytest.mark.parametrize(
    ("number", "code"), [("LAPAS 12", "word_denied"), ("No. 测", "text_not_printable")]
)
async def test_a_number_that_a_paper_may_not_show_is_refused(
    lsp: LspHarness, number: str, code: str
) -> None:
    certificate = await lsp.issue_certificate()
    path = f"/v1/certificates/{certificate['certificate_id']}/numbers"
    request = change(lsp.officer, "PUT", path, json={"certificate_no": number})
    assert await refused(request) == {code}


async def test_an_emblem_is_shown_as_uploaded_and_an_unfit_one_is_refused(
    lsp: LspHarness,
) -> None:
    shown = await lsp.officer.get(f"{lsp.path}/emblem")
    assert (shown.content, shown.headers["content-type"]) == (EMBLEM, "image/png")
    small = EMBLEM[:16] + (20).to_bytes(4, "big") * 2 + EMBLEM[24:]
    for content in (b"", b"<svg/>", EMBLEM[:2_000], small):
        assert await refused(lsp.upload_emblem(content)) == {"emblem_unfit"}
    assert await refused(lsp.upload_emblem(EMBLEM + bytes(256 * 1024)), 413) == {"too_large"}
