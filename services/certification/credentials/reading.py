"""Reads an uploaded document under strict limits, before anything looks at what it says. Not here: what a credential must look like (`shape`)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, cast

from chassis.errors import Malformed

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
_MAX_EXACT_INTEGER = 2**53
_BRACKETS = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL
)  # an unended string ends with the text, so that the scan stays linear


class DocumentMalformed(Malformed):
    """The bytes are not the plain JSON object we accept (certification 5.1 step 1)."""

    code = "malformed"
    title = "Dokumen tidak dapat dibaca"


def parse_document(body: bytes) -> dict[str, Any]:
    """The JSON object in these bytes.

    DocumentMalformed: over 64 KB, deeper than 20, not UTF-8 or not NFC, a key twice, NaN, a number beyond 2^53, not an object.
    """
    if len(body) > MAX_BYTES:
        raise DocumentMalformed("Ukuran dokumen lebih dari 64 KB.")
    _check_depth(body)
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_build_object,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
    except ValueError:
        raise DocumentMalformed("Isi bukan JSON yang sah.") from None
    if not isinstance(value, dict):
        raise DocumentMalformed("Isi harus berupa satu objek JSON.")
    found = cast("dict[str, Any]", value)
    if not all(_is_nfc(text) for text in _iterate_texts(found)):
        raise DocumentMalformed("Teks harus berbentuk Unicode NFC.")
    return found


def _check_depth(body: bytes) -> None:
    depth = 0
    for match in _BRACKETS.finditer(body):
        mark = match.group()
        depth += 1 if mark in b"[{" else -1 if mark in b"]}" else 0
        if depth > MAX_DEPTH:
            raise DocumentMalformed("Struktur terlalu dalam.")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DocumentMalformed("Satu nama muncul dua kali.")
    return found


def _parse_integer(digits: str) -> int:
    if len(digits) > len(str(-_MAX_EXACT_INTEGER)) or abs(int(digits)) > _MAX_EXACT_INTEGER:
        raise DocumentMalformed("Angka terlalu besar.")
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if not abs(value) <= _MAX_EXACT_INTEGER:
        raise DocumentMalformed("Angka terlalu besar.")
    return value


def _refuse_constant(name: str) -> float:
    raise DocumentMalformed(f"{name} bukan nilai JSON.")


def _iterate_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield name
            yield from _iterate_texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _iterate_texts(inner)


def _is_nfc(text: str) -> bool:
    return unicodedata.is_normalized("NFC", text) and not any(
        "\ud800" <= letter <= "\udfff" for letter in text
    )
