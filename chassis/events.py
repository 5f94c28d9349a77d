"""What services tell each other: event classes, their envelope, and readers' copies. Not here: how events travel or are kept.

An event on the wire is a CloudEvent 1.0 in binary mode (Kafka protocol binding 3.2): the body is the data, all else is headers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from chassis.ids import utc_now

MAX_EVENT_BYTES = 256 * 1024
_EVENT_IDS = uuid.UUID("0b9f3f0e-6f0a-5c38-8a8e-1d1f6f2f7c11")


class Aliased:
    """Marks a field that names a subject which may have been merged into another: resolved before a handler sees it."""


Reference = Annotated[str, Aliased()]


class Unreadable(Exception):
    """A record whose headers or body cannot be read; `reason` goes into the parked row and holds no data of the record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooBigAnEvent(Exception):
    """An event over 256 KiB is refused at commit."""


class NotKnownYet(Exception):
    """The event speaks of something that is not here yet; it is kept and applied when `subject` (an id) is added."""

    def __init__(self, subject: str) -> None:
        super().__init__("not known yet")
        self.subject = subject


class Event(BaseModel):
    """A fact that a service tells the world. Subclass with `type="<service>.<noun>-<past verb>.v<major>"` and `key=` the field that orders it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: ClassVar[str] = ""
    key_field: ClassVar[str] = ""

    def __init_subclass__(cls, *, type: str = "", key: str = "", **kwargs: Any) -> None:
        cls.type, cls.key_field = type, key
        super().__init_subclass__(**kwargs)

    @property
    def key(self) -> str:
        """The Kafka key: all events of one key take effect in order."""
        return str(getattr(self, self.key_field))


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Where an event came from and where it stands in its key's order."""

    id: str
    type: str
    source: str
    key: str
    time: datetime
    sequence: int
    aggregate_id: str = ""
    aggregate_version: int = 0
    facility_id: str = ""
    actor_role: str = ""
    actor_ref: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""

    def headers(self) -> list[tuple[str, bytes]]:
        """The Kafka headers, in the order of the design."""
        pairs = [
            ("ce_id", self.id),
            ("ce_specversion", "1.0"),
            ("ce_type", self.type),
            ("ce_source", self.source),
            ("ce_subject", self.key),
            ("ce_time", self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
            ("ce_sequence", str(self.sequence)),
            ("content-type", "application/json"),
            ("ce_aggregateid", self.aggregate_id),
            ("ce_aggregateversion", str(self.aggregate_version)),
            ("ce_facilityid", self.facility_id),
            ("ce_actorrole", self.actor_role),
            ("ce_actorref", self.actor_ref),
            ("ce_correlationid", self.correlation_id),
            ("ce_causationid", self.causation_id),
            ("traceparent", self.traceparent),
        ]
        return [(name, value.encode()) for name, value in pairs if value]

    @classmethod
    def of(cls, headers: Mapping[str, str], key: str) -> Self:
        """The envelope in these headers; Unreadable when one that order or identity hangs on is missing or malformed."""
        missing = [name for name in ("ce_id", "ce_type", "ce_source", "ce_time", "ce_sequence") if not headers.get(name)]
        if missing:
            raise Unreadable(f"header missing: {', '.join(missing)}")
        if headers.get("ce_specversion") != "1.0":
            raise Unreadable("ce_specversion is not 1.0")
        if headers.get("ce_subject", key) != key:
            raise Unreadable("ce_subject differs from the record's key")
        try:
            return cls(
                id=headers["ce_id"],
                type=headers["ce_type"],
                source=headers["ce_source"],
                key=key,
                time=_moment(headers["ce_time"]),
                sequence=int(headers["ce_sequence"]),
                aggregate_id=headers.get("ce_aggregateid", ""),
                aggregate_version=int(headers.get("ce_aggregateversion") or 0),
                facility_id=headers.get("ce_facilityid", ""),
                actor_role=headers.get("ce_actorrole", ""),
                actor_ref=headers.get("ce_actorref", ""),
                correlation_id=headers.get("ce_correlationid", ""),
                causation_id=headers.get("ce_causationid", ""),
                traceparent=headers.get("traceparent", ""),
            )
        except ValueError:
            raise Unreadable("a header has the wrong form: ce_time, ce_sequence or ce_aggregateversion") from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


class Inbound(BaseModel):
    """A reader's own copy of an event: only the fields it reads. `aliased` lists the fields resolved through the alias table."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str] = ""
    upcasts: ClassVar[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
    aliased: ClassVar[tuple[str, ...]] = ()
    _meta: Envelope = PrivateAttr(default_factory=lambda: Envelope(id="", type="", source="", key="", time=utc_now(), sequence=0))

    def __init_subclass__(cls, *, type: str = "", upcasts: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] | None = None, **kwargs: Any) -> None:
        cls.type, cls.upcasts = type, upcasts or {}
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.aliased = tuple(name for name, field in cls.model_fields.items() if any(isinstance(mark, Aliased) for mark in field.metadata))

    @property
    def meta(self) -> Envelope:
        """Where the event came from; the key is as sent, not resolved."""
        return self._meta

    @classmethod
    def read(cls, body: bytes, envelope: Envelope, aliases: Mapping[str, str] | None = None) -> Self:
        """The event in this body, older versions lifted by `upcasts`; Unreadable names the fields that do not fit."""
        try:
            data: Any = json.loads(body)
        except ValueError:
            raise Unreadable("the body is not JSON") from None
        data = _object(data)
        if data is None:
            raise Unreadable("the body is not a JSON object")
        if envelope.type != cls.type:
            data = cls.upcasts[envelope.type](data)
        for name in cls.aliased:
            if aliases and (into := aliases.get(str(data.get(name)))):
                data[name] = into
        try:
            event = cls.model_validate(data)
        except ValidationError as error:
            fields = sorted({".".join(str(part) for part in problem["loc"]) + ": " + problem["type"] for problem in error.errors(include_input=False, include_url=False)})
            raise Unreadable(f"fields that do not fit: {', '.join(fields)}") from None
        event._meta = envelope  # noqa: SLF001 - its own class
        return event

    @classmethod
    def references(cls, body: bytes) -> list[str]:
        """The values of the aliased fields, as far as the body can be read."""
        if not cls.aliased:
            return []
        try:
            data = _object(json.loads(body)) or {}
        except ValueError:
            return []
        return [str(data[name]) for name in cls.aliased if data.get(name)]


def _object(data: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def event_id(aggregate_id: str, aggregate_version: int, index: int) -> str:
    """The id of the index-th event of one version of an aggregate: the same fact has the same id for ever."""
    return str(uuid.uuid5(_EVENT_IDS, f"{aggregate_id}\x1f{aggregate_version}\x1f{index}"))


def stem(type_name: str) -> str:
    """A type's name without its major version: `training.course-completed`."""
    return type_name.rpartition(".v")[0] or type_name
