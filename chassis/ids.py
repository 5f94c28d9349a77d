"""Time-ordered ids, name-based ids, and UTC to the millisecond. Not here: what an id names."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import uuid_utils

_NAMESPACE = uuid.UUID("6f1d3a52-2c4e-5b8e-9a51-6b1f0c7a9d10")
_EVENT_IDS = uuid_utils.UUID("0b9f3f0e-6f0a-5c38-8a8e-1d1f6f2f7c11")


def new_id() -> str:
    """Return a time-ordered UUID version 7 as text (RFC 9562)."""
    return str(uuid_utils.uuid7())


def first_id_at(moment: datetime) -> str:
    """Return a text that sorts before all ids made at this moment (to the ms) or later."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def named_id(*parts: str | int) -> str:
    """Return the UUID version 5 of these parts; the same parts always give the same id."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(str(part) for part in parts)))


def utc_now() -> datetime:
    """Return the time in UTC, truncated to milliseconds, which is what MongoDB keeps."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def event_id(
    service: str, collection: str, aggregate_id: str, aggregate_version: int, index: int
) -> str:
    """Return the id of the index-th event of one version of an aggregate.

    The same fact always has the same id. Service and collection are part of it, because aggregates
    of two services or kinds may share an id. Events of before the service was part of it keep their
    stored ids: a version is published once, so no id is made again.
    """
    name = f"{service}\x1f{collection}\x1f{aggregate_id}\x1f{aggregate_version}\x1f{index}"
    return str(uuid_utils.uuid5(_EVENT_IDS, name))
