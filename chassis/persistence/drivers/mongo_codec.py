"""How Python values become BSON and back. Not here: how aggregates become documents (store)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import Any, cast

from bson import (
    CodecOptions,
    decode,  # pyright: ignore[reportUnknownVariableType]
    encode,
)
from bson.codec_options import TypeRegistry
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument

from chassis.persistence.statements import Document


def _encode(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (frozenset, set)):
        return sorted(cast("Iterable[Any]", value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        raise OverflowError("an integer of MongoDB has at most 64 bits")
    message = f"{type(value).__name__} cannot be encoded as BSON"
    raise TypeError(message)


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode)
)
# What encoding raises for a value that BSON cannot hold, and for a document over 16 MiB.
ENCODING_ERRORS = (InvalidDocument, OverflowError, UnicodeEncodeError)
# Reads documents as raw BSON, byte for byte.
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


def encoded_bytes(statements: list[Document]) -> int:
    """Return the size of these statements as BSON. Raises ENCODING_ERRORS."""
    return len(encode({"statements": statements}, codec_options=CODEC))


def as_stored(document: Document) -> Document:
    """Return the document as MongoDB gives it back."""
    return decode(encode(document, codec_options=CODEC), codec_options=CODEC)
