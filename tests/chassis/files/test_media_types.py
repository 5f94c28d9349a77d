"""The type of a file by its first bytes, and what its sender may call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.files.media_types import (
    SHEETS,
    FileTypeDiffers,
    FileTypeRefused,
    MediaType,
    require_type,
    sniff,
)

SAMPLES = Path(__file__).parents[2] / "training/snapshots"
HEADS = {
    MediaType.CSV: b"No;Nama\r\n1;Uji\r\n",
    MediaType.PDF: b"%PDF-1.7\n",
    MediaType.PNG: b"\x89PNG\r\n\x1a\n\0\0",
    MediaType.JPEG: b"\xff\xd8\xff\xe0\0",
    MediaType.XLS: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0",
    MediaType.ODS: b"PK\x03\x04" + 26 * b"\0" + b"mimetype" + MediaType.ODS.encode(),
    MediaType.ZIP: b"PK\x03\x04" + 26 * b"\0" + b"foto.jpg",
    MediaType.BINARY: b"\x7fELF\x02\x01\x01\0",
}


@pytest.mark.parametrize("media_type", HEADS)
def test_the_first_bytes_show_the_type(media_type: MediaType) -> None:
    assert sniff(HEADS[media_type]) is media_type


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_text_with_a_byte_order_mark_is_text(mark: bytes) -> None:
    assert sniff(mark + b"N\0o\0") is MediaType.CSV


def test_the_sample_lists_are_sheets_of_their_types() -> None:
    files = sorted(path for path in SAMPLES.rglob("*.*") if path.suffix in {".csv", ".xlsx"})
    contents = {path: path.read_bytes() for path in files}
    assert len(files) > 10
    for path, content in contents.items():
        if content:
            assert sniff(content) is MediaType[path.suffix[1:].upper()], path.name


@pytest.mark.parametrize(
    "stated", ["", "application/octet-stream", "text/csv", "TEXT/CSV; charset=utf-8"]
)
def test_a_type_that_fits_is_accepted(stated: str) -> None:
    require_type(stated, MediaType.CSV, SHEETS)


def test_a_browser_may_call_a_csv_file_one_of_excel() -> None:
    require_type("application/vnd.ms-excel", MediaType.CSV, SHEETS)


def test_another_stated_type_is_refused() -> None:
    with pytest.raises(FileTypeDiffers):
        require_type("application/pdf", MediaType.XLSX, SHEETS)


def test_a_type_that_is_not_accepted_is_refused() -> None:
    with pytest.raises(FileTypeRefused):
        require_type("application/pdf", MediaType.PDF, SHEETS)
