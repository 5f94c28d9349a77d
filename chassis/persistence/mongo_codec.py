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
    message = f"no document form for {type(value).__name__}"
    raise TypeError(message)


CODEC: CodecOptions[Document] = CodecOptions(
    tz_aware=True, type_registry=TypeRegistry(fallback_encoder=_encode)
)
# Reads documents as the database keeps them, byte for byte.
RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
