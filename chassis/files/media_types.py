"""The type of a file by its first bytes, compared with the type that its sender states.

Not here: whether the file can be read (sandbox).
"""

from __future__ import annotations

from enum import StrEnum

from chassis.errors import Refused
from chassis.texts import TEXTS

SNIFFED_BYTES = 8192


class MediaType(StrEnum):
    """The types that the first bytes distinguish; BINARY is any other."""

    CSV = "text/csv"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    XLS = "application/vnd.ms-excel"
    ODS = "application/vnd.oasis.opendocument.spreadsheet"
    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    ZIP = "application/zip"
    BINARY = "application/octet-stream"


SHEETS = frozenset({MediaType.CSV, MediaType.XLSX, MediaType.XLS, MediaType.ODS})

_MAGIC = {
    b"%PDF-": MediaType.PDF,
    b"\x89PNG\r\n\x1a\n": MediaType.PNG,
    b"\xff\xd8\xff": MediaType.JPEG,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": MediaType.XLS,
}
_ZIP_MAGIC = b"PK\x03\x04"
_ODS_MIMETYPE = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
_XLSX_FOLDER = b"xl/"
_XLSX_FIRST_ENTRIES = (b"[Content_Types].xml", b"_rels/", b"docProps/")
_UNICODE_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1a")
_FIRST_PRINTABLE = 32

# A browser on a machine with Excel states a CSV file as one of Excel's; a plain type states little.
_ALSO_STATED = {
    MediaType.CSV: frozenset({"text/plain", "application/csv", "application/vnd.ms-excel"}),
    MediaType.XLSX: frozenset({"application/vnd.ms-excel", "application/zip"}),
    MediaType.ODS: frozenset({"application/zip"}),
}


class FileTypeDiffers(Refused):
    """The content is of another type than its sender states."""

    title = TEXTS["errors.file_type_differs"]
    field = "filetype"


class FileTypeRefused(Refused):
    """Files of this type are not taken here."""

    title = TEXTS["errors.file_type_refused"]


def sniff(head: bytes) -> MediaType:
    """Return the type of a file that begins with these bytes."""
    for magic, media_type in _MAGIC.items():
        if head.startswith(magic):
            return media_type
    if head.startswith(_ZIP_MAGIC):
        return _sniff_archive(head)
    return MediaType.CSV if _is_text(head[:SNIFFED_BYTES]) else MediaType.BINARY


def require_type(stated: str, found: MediaType, accepted: frozenset[MediaType]) -> None:
    """Refuse a file of a type that is not accepted or not the stated one ("" = none stated).

    Raises FileTypeRefused, FileTypeDiffers.
    """
    if found not in accepted:
        raise FileTypeRefused(found=found.value)
    stated = stated.partition(";")[0].strip().lower()
    if stated in {"", MediaType.BINARY.value, found.value}:
        return
    if stated not in _ALSO_STATED.get(found, frozenset()):
        raise FileTypeDiffers(found=found.value)


def _sniff_archive(head: bytes) -> MediaType:
    name = head[30:]
    if name.startswith(_ODS_MIMETYPE):
        return MediaType.ODS
    is_workbook = name.startswith(_XLSX_FIRST_ENTRIES) or _XLSX_FOLDER in name
    return MediaType.XLSX if is_workbook else MediaType.ZIP


def _is_text(head: bytes) -> bool:
    if head.startswith(_UNICODE_MARKS):
        return True
    return all(byte >= _FIRST_PRINTABLE or byte in _TEXT_CONTROLS for byte in head)
