"""The parser of an uploaded document, under strict limits.

Not here: what a credential must look like (shape).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, cast

from chassis.errors import Malformed
from services.certification.settings import TEXTS

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
_MAX_EXACT_INTEGER = 2**53
_MAX_INTEGER_DIGITS = len(str(-_MAX_EXACT_INTEGER))

# A string without its end matches to the end of the text, so that the scan stays linear.
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class DocumentMalformed(Malformed):
    """The bytes are not the plain JSON object that we accept (certification 5.1 step 1)."""

    code = "malformed"
    title = TEXTS["errors.malformed"]


def parse_document(body: bytes) -> dict[str, Any]:
    """Return the JSON object in these bytes. Raises DocumentMalformed.

    Refused are: more than 64 KB, a depth over 20, a text that is not UTF-8 or not NFC, a name
    twice, NaN, a number beyond 2^53, and a value that is not an object.
    """
    if len(body) > MAX_BYTES:
        raise DocumentMalformed(TEXTS["details.document_too_large"])
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
        raise DocumentMalformed(TEXTS["details.document_not_json"]) from None
    if not isinstance(value, dict):
        raise DocumentMalformed(TEXTS["details.document_not_object"])
    document = cast("dict[str, Any]", value)
    if not all(_is_nfc(text) for text in _iterate_texts(document)):
        raise DocumentMalformed(TEXTS["details.document_not_nfc"])
    return document


def _check_depth(body: bytes) -> None:
    depth = 0
    for match in _BRACKETS.finditer(body):
        token = match.group()
        if token in b"[{":
            depth += 1
        elif token in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            raise DocumentMalformed(TEXTS["details.document_too_deep"])


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DocumentMalformed(TEXTS["details.document_name_twice"])
    return members


def _parse_integer(digits: str) -> int:
    # The length is checked first, because the work of int() grows faster than the text.
    if len(digits) > _MAX_INTEGER_DIGITS or abs(int(digits)) > _MAX_EXACT_INTEGER:
        raise DocumentMalformed(TEXTS["details.document_number_too_large"])
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if abs(value) > _MAX_EXACT_INTEGER:
        raise DocumentMalformed(TEXTS["details.document_number_too_large"])
    return value


def _refuse_constant(name: str) -> float:
    raise DocumentMalformed(TEXTS["details.document_not_a_value"].format(name=name))


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
    has_surrogate = any("\ud800" <= letter <= "\udfff" for letter in text)
    return unicodedata.is_normalized("NFC", text) and not has_surrogate
