"""How Python values become BSON and back. Not here: how aggregates become documents (store)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import Any, cast

from bson import CodecOptions
from bson.codec_options import TypeRegistry
from bson.raw_bson import RawBSONDocument

from chassis.persistence.statements import Document


def _encode(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (frozenset, set)):
        return sorted(cast("Iterable[Any]", value))
    if isinstance(value, Enum):
        return value.value
    message = f"{type(value).__name__} cannot be encoded as BSON"
    raise TypeError(message)


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode)
)
# Reads documents as raw BSON, byte for byte.
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
