"""The layout of the paper: what it shows, what fits, equal bytes for equal content."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from datetime import date
from typing import Any, cast

import pypdf
import pypdfium2
import pytest
import zxingcpp

from services.certification.certificates import paper
from services.certification.certificates.rules import Numbers, end_of_validity, start_of_validity
from services.certification.credentials.document import Unit
from services.certification.lsps.rules import Signatory
from tests.certification.factories import EMBLEM

RENDERINGS = 10
DAY = date(2026, 11, 30)
PAPER = paper.Paper(
    issuer_name="LSP Konstruksi Nusantara",
    licence_no="BNSP-LSP-0001-ID",
    name="Muhammad Syahrul Ramadhan",
    scheme="Pemasangan Instalasi Listrik Sederhana",
    scheme_en="Installation of Simple Electrical Systems",
    units=(
        Unit(
            code="F.432111.001.02",
            title="Memasang instalasi penerangan",
            framework="SKKNI 2019-103",
            title_en="Install lighting",
        ),
        Unit(
            code="F.432111.002.02",
            title="Mengukur tahanan isolasi",
            framework="SKKNI 2019-103",
            title_en="Measure insulation resistance",
        ),
    ),
    numbers=Numbers(
        certificate_no="43211 7411 2 0000123 2026",
        registration_no="KON.1234.00567 2026",
        blank_no="0456789",
    ),
    signatory=Signatory(
        name="Dr. Ir. Ratna Kusumawati, M.T.", office="Ketua LSP", place="Surabaya"
    ),
    valid_from=start_of_validity(DAY),
    valid_until=end_of_validity(DAY, 36),
    check_url="HTTPS://SERTIFIKAT.EXAMPLE/V/ABCDEFGH2345",
    token="ABCDEFGH2345",
    emblem=EMBLEM,
)
LONG_UNITS = tuple(
    Unit(
        code=f"F.432111.{number:03}.02",
        title="Melaksanakan pekerjaan pemasangan instalasi bangunan sederhana " * 3,
        framework="SKKNI 2019-103",
        title_en="Carry out the installation of simple building systems " * 3,
    )
    for number in range(1, 101)
)


def pages_of(content: paper.Paper) -> list[str]:
    """Return the text of each page, with single spaces."""
    document = pypdfium2.PdfDocument(paper.render(content))
    texts = [page.get_textpage().get_text_range() for page in document]
    return [" ".join(text.split()) for text in texts]


def test_the_front_shows_everything_that_makes_a_certificate() -> None:
    front, _ = pages_of(PAPER)
    for shown in (
        "LSP Konstruksi Nusantara",
        "Lisensi BNSP No. BNSP-LSP-0001-ID",
        "SERTIFIKAT KOMPETENSI",
        "Certificate of Competence",
        "No. Sertifikat 43211 7411 2 0000123 2026",
        "No. Registrasi KON.1234.00567 2026",
        "No. Blanko 0456789",
        "Muhammad Syahrul Ramadhan",
        "Pemasangan Instalasi Listrik Sederhana",
        "Installation of Simple Electrical Systems",
        "Surabaya, 30 November 2026",
        "Dr. Ir. Ratna Kusumawati, M.T.",
        "Ketua LSP",
        "ABCD-EFGH-2345",
        "HTTPS://SERTIFIKAT.EXAMPLE/V/ABCDEFGH2345",
    ):
        assert shown in front, shown


def test_the_validity_ends_on_its_last_day_as_people_write_it() -> None:
    front, _ = pages_of(PAPER)
    assert "30 November 2026 sampai dengan 29 November 2029" in front
    assert "30 November 2026 to 29 November 2029, both days included" in front
    assert "sebelum" not in front
    in_august = replace(PAPER, valid_from=start_of_validity(date(2026, 8, 1)))
    assert "1 Agustus 2026" in pages_of(in_august)[0]
    assert "1 August 2026" in pages_of(in_august)[0]


def test_the_second_page_is_the_bilingual_transcript() -> None:
    _, transcript = pages_of(PAPER)
    assert "Daftar Unit Kompetensi" in transcript
    assert "Transcript of Units of Competence" in transcript
    for unit in PAPER.units:
        for text in (unit.code, unit.title, unit.title_en, unit.framework):
            assert text in transcript
    assert "Muhammad Syahrul Ramadhan" in transcript
    assert "43211 7411 2 0000123 2026" in transcript


def test_the_emblem_is_on_the_front_and_nothing_stays_open_without_one() -> None:
    def images(content: paper.Paper) -> int:
        reader = pypdf.PdfReader(io.BytesIO(paper.render(content)))
        return len(reader.pages[0].images)

    assert images(PAPER) == 1
    assert images(replace(PAPER, emblem=None)) == 0


def test_the_code_is_read_from_the_printed_page() -> None:
    # pypdfium2 ships only half of its types.
    page = cast("Any", pypdfium2.PdfDocument(paper.render(PAPER))[0])
    [code] = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    assert code.text == PAPER.check_url


def test_a_paper_without_number_or_signatory_shows_no_empty_label() -> None:
    bare = replace(
        PAPER,
        numbers=Numbers(),
        signatory=None,
        scheme_en="",
        units=tuple(replace(unit, title_en="") for unit in PAPER.units),
        emblem=None,
        licence_no="",
    )
    front, transcript = pages_of(bare)
    for word in ("None", "null", "No. Sertifikat", "No. Registrasi", "Lisensi", "Surabaya"):
        assert word not in front + transcript, word
    assert "30 November 2026" in front


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Wahyuningtyas " * 8},
        {"name": "W" * 120},
        {"scheme": "Pemasangan Instalasi " * 9, "scheme_en": "Installation of Systems " * 8},
        {"issuer_name": "LSP Konstruksi dan Ketenagalistrikan Nusantara Raya " * 2},
        {
            "name": "Wahyuningtyas " * 8,
            "scheme": "Pemasangan Instalasi " * 9,
            "scheme_en": "Installation of Systems " * 8,
            "issuer_name": "LSP Konstruksi dan Ketenagalistrikan Nusantara Raya " * 2,
            "signatory": Signatory(name="Ratna Kusumawati " * 7, office="Ketua " * 20, place="Y"),
        },
    ],
)
def test_the_longest_texts_still_fit_on_one_front(changed: dict[str, Any]) -> None:
    pages = pages_of(replace(PAPER, **changed))
    assert len(pages) == 2
    for text in changed.values():
        if isinstance(text, str):
            assert " ".join(text.split()) in pages[0]


def test_a_hundred_long_units_run_over_pages_with_the_heading_on_each() -> None:
    pages = pages_of(replace(PAPER, units=LONG_UNITS))
    transcript = pages[1:]
    assert len(transcript) > 5
    for number, page in enumerate(transcript, start=2):
        assert f"Halaman {number} / {len(pages)}" in page
        assert "ABCD-EFGH-2345" in page
    assert sum("Kode unit" in page for page in transcript) >= len(transcript) - 1
    shown = " ".join(transcript)
    assert all(unit.code in shown for unit in LONG_UNITS)


def test_equal_content_gives_equal_bytes_and_rendering_is_quick() -> None:
    """The limit is generous, because other work of the machine adds to the time."""
    first = paper.render(PAPER)
    seconds: list[float] = []
    for _ in range(RENDERINGS):
        started = time.process_time()
        assert paper.render(PAPER) == first
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.5
