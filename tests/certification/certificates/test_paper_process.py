"""The printed paper: its text, its QR code and the page behind it agree."""

from __future__ import annotations

from typing import Any, cast

import pypdfium2
import pytest
import zxingcpp

from tests.certification.factories import LspHarness
from tests.certification.harness import Harness


@pytest.mark.scenario("C12/paper")
async def test_text_and_qr_of_the_paper_and_the_page_behind_it_agree(
    harness: Harness, lsp: LspHarness
) -> None:
    certificate = await lsp.issue_certificate()
    path = f"/v1/certificates/{certificate['certificate_id']}/pdf"
    first = await lsp.officer.get(path)
    again = await lsp.officer.get(path)
    assert first.status_code == 200
    assert first.content == again.content

    document = pypdfium2.PdfDocument(first.content)
    text = document[0].get_textpage().get_text_range()
    # pypdfium2 ships only half of its types.
    page = cast("Any", document[0])
    image: Any = page.render(scale=2).to_pil()
    codes = zxingcpp.read_barcodes(image)
    assert [code.text for code in codes] == [certificate["check_url"]]
    assert certificate["check_url"] in text

    answer = await harness.get_public(certificate["check_url"], accept="application/json")
    result = answer.json()
    assert result["status"] == "valid"
    printed = [result["name"], result["scheme"], result["issuer_name"]]
    printed += [unit["code"] for unit in result["units"]]
    assert [value for value in printed if value not in text] == []
