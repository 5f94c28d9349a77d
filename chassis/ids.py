"""Ids and moments as they are made: time-ordered ids, name-based ids, UTC to the millisecond. Not here: what an id names."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import uuid_utils

_NAMESPACE = uuid.UUID("6f1d3a52-2c4e-5b8e-9a51-6b1f0c7a9d10")


def new_id() -> str:
    """A time-ordered UUID version 7 as text (RFC 9562)."""
    return str(uuid_utils.uuid7())


def named_id(*parts: str | int) -> str:
    """The UUID version 5 of these parts: the same parts give the same id for ever."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(str(part) for part in parts)))


def utc_now() -> datetime:
    """Now in UTC, cut to the millisecond that MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
