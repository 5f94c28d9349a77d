"""PDF from templates: standards, equal bytes, embedded fonts, faults of the data."""

from __future__ import annotations

import io
import socket
from pathlib import Path
from typing import Any

import pypdf
import pytest

from chassis.documents import pdf
from chassis.documents.pdf import DocumentNotPrintable, TemplateBroken, render_pdf

TEMPLATE = Path(__file__).with_name("sample.typ")
DATA = {"title": "Surat", "author": "LSP Contoh", "text": "Isi #surat *biasa* $x$ \\ // akhir"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>'


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


def test_a_pdf_states_pdf_a_2a_and_pdf_ua_1_and_is_tagged() -> None:
    reader = read(render_pdf(TEMPLATE, DATA))
    root: Any = reader.trailer["/Root"]
    metadata = root["/Metadata"].get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "id"


def test_equal_input_gives_equal_bytes_and_other_input_others() -> None:
    first = render_pdf(TEMPLATE, DATA, {"picture": SVG})
    assert render_pdf(TEMPLATE, DATA, {"picture": SVG}) == first
    assert render_pdf(TEMPLATE, DATA | {"text": "lain"}, {"picture": SVG}) != first


def test_a_pdf_holds_no_moment_but_the_date_of_the_document() -> None:
    information = str(read(render_pdf(TEMPLATE, DATA)).metadata)
    assert information.count("D:20261130") >= 1
    assert "D:1970" not in information


def test_the_fonts_are_embedded_and_their_licence_lies_beside_them() -> None:
    reader = read(render_pdf(TEMPLATE, DATA))
    page: Any = reader.pages[0]
    for font in page["/Resources"]["/Font"].values():
        [descendant] = font.get_object()["/DescendantFonts"]
        descriptor = descendant.get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)
        assert "NotoSans" in descriptor["/FontName"]
    licence = (pdf.FONTS / "LICENSE_NOTO").read_text()
    assert "SIL OPEN FONT LICENSE" in licence


def test_no_value_is_markup() -> None:
    assert DATA["text"] in read(render_pdf(TEMPLATE, DATA)).pages[0].extract_text()


def test_rendering_uses_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(socket, "socket", refuse)
    assert render_pdf(TEMPLATE, DATA)


@pytest.mark.parametrize(
    ("changed", "images"),
    [
        ({"text": "测试"}, {}),
        ({}, {"picture": b"\x89PNG\r\n\x1a\n broken"}),
        ({}, {"picture": b""}),
    ],
)
def test_an_unprintable_letter_or_a_broken_image_is_refused(
    changed: dict[str, str], images: dict[str, bytes]
) -> None:
    with pytest.raises(DocumentNotPrintable) as refusal:
        render_pdf(TEMPLATE, DATA | changed, images)
    assert refusal.value.status == 422
    assert "测" not in str(refusal.value)


def test_a_broken_template_names_no_value() -> None:
    with pytest.raises(TemplateBroken) as fault:
        render_pdf(TEMPLATE, DATA | {"fault": True, "text": "Siti Aminah"})
    assert "Siti" not in str(fault.value)
