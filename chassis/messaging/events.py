"""What services tell each other: event classes, their envelope, and readers' copies. Not here: how events travel or are kept.

An event on the wire is a CloudEvent 1.0 in binary mode (Kafka protocol binding 3.2): the body is the data, all else is headers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError

MAX_NAME = 500  # characters of an id or a key, by which an operator must be able to name it
_NEEDED = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_sequence")
_TEXTS = {  # headers that hold an envelope's field as it is, in the order of the design
    "ce_id": "id",
    "ce_type": "type",
    "ce_source": "source",
    "ce_aggregateid": "aggregate_id",
    "ce_facilityid": "facility_id",
    "ce_actorrole": "actor_role",
    "ce_actorref": "actor_ref",
    "ce_correlationid": "correlation_id",
    "ce_causationid": "causation_id",
    "traceparent": "traceparent",
}
Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Aliased:
    """Marks a field that names a subject which may have been merged into another: resolved before a handler sees it."""


Reference = Annotated[str, Aliased()]


class Unreadable(Exception):
    """A record whose headers or body cannot be read; `reason` goes into the parked row and holds no data of the record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SubjectNotKnownYet(Exception):
    """The event speaks of something that is not here yet; it is kept and applied when `subject` (an id) is added. Raise it before anything is written."""

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
    def facility(self) -> str:
        """The facility that it names, if it names one."""
        return self.__dict__.get("facility_id", "")

    @property
    def key(self) -> str:
        """The Kafka key: all events of one key take effect in order."""
        return str(getattr(self, self.key_field))


class Envelope(NamedTuple):
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
        """The Kafka headers."""
        texts = [
            (header, value.encode())
            for header, name in _TEXTS.items()
            if (value := getattr(self, name))
        ]
        time = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        numbers = [
            ("ce_sequence", b"%d" % self.sequence),
            ("ce_aggregateversion", b"%d" % self.aggregate_version),
        ]
        return [
            *texts,
            *numbers,
            ("ce_specversion", b"1.0"),
            ("ce_subject", self.key.encode()),
            ("ce_time", time.encode()),
            ("content-type", b"application/json"),
        ]

    @classmethod
    def of(cls, headers: Mapping[str, str], key: str) -> Self:
        """The envelope in these headers; Unreadable when one that order or identity hangs on is missing or malformed."""
        if max(len(key), len(headers.get("ce_id", ""))) > MAX_NAME:
            raise Unreadable("an id or a key is too long")
        if missing := [name for name in _NEEDED if not headers.get(name)]:
            raise Unreadable(f"header missing: {', '.join(missing)}")
        if headers.get("ce_specversion") != "1.0":
            raise Unreadable("ce_specversion is not 1.0")
        if headers.get("ce_subject", key) != key:
            raise Unreadable("ce_subject differs from the record's key")
        try:
            time, sequence, version = (
                datetime.fromisoformat(headers["ce_time"]),
                int(headers["ce_sequence"]),
                int(headers.get("ce_aggregateversion") or 0),
            )
        except ValueError:
            raise Unreadable(
                "a header has the wrong form: ce_time, ce_sequence or ce_aggregateversion"
            ) from None
        if time.tzinfo is None:
            raise Unreadable("ce_time has no zone")
        texts: dict[str, Any] = {name: headers.get(header, "") for header, name in _TEXTS.items()}
        return cls(key=key, time=time, sequence=sequence, aggregate_version=version, **texts)

    @classmethod
    def archived(cls, row: Mapping[str, Any], service: str) -> Self:
        """The envelope of a service's outbox row."""
        texts: dict[str, Any] = {name: row.get(name, "") for name in _TEXTS.values()} | {
            "id": row["_id"],
            "source": f"bina/{service}",
        }
        return cls(
            key=row["key"],
            time=row["at"],
            sequence=row["seq"],
            aggregate_version=row["aggregate_version"],
            **texts,
        )


class Inbound(BaseModel):
    """A reader's own copy of an event: only the fields it reads. `aliased` lists the fields resolved through the alias table."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str] = ""
    upcasts: ClassVar[Mapping[str, Upcast]] = {}
    aliased: ClassVar[tuple[str, ...]] = ()
    __slots__ = (
        "__envelope__",
    )  # not a private attribute, which costs more than the rest of reading an event

    def __init_subclass__(
        cls, *, type: str = "", upcasts: Mapping[str, Upcast] | None = None, **kwargs: Any
    ) -> None:
        cls.type, cls.upcasts = type, upcasts or {}
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.aliased = tuple(
            name
            for name, field in cls.model_fields.items()
            if any(isinstance(mark, Aliased) for mark in field.metadata)
        )

    @property
    def meta(self) -> Envelope:
        """Where the event came from; the key is as sent, not resolved."""
        return self.__envelope__

    def with_envelope(self, envelope: Envelope) -> Self:
        """The same event, with where it came from."""
        object.__setattr__(self, "__envelope__", envelope)
        return self

    def reads(self) -> Iterable[tuple[Any, str]]:
        """What its handler will read by id, as (store class, id), so that a whole batch is fetched at once. Override where it pays; only speed hangs on it."""
        return ()

    @property
    def references(self) -> list[str]:
        """The values of the aliased fields."""
        return [value for name in self.aliased if (value := getattr(self, name))]

    def resolved(self, aliases: Mapping[str, str | None]) -> Self:
        """The event as the survivors of merges see it."""
        survivors = {
            name: into for name in self.aliased if (into := aliases.get(getattr(self, name)))
        }
        return (
            self.model_copy(update=survivors).with_envelope(self.__envelope__)
            if survivors
            else self
        )

    @classmethod
    def read(cls, body: bytes, envelope: Envelope) -> Self:
        """The event in this body, older versions lifted by `upcasts`; Unreadable names the fields that do not fit."""
        try:
            event = (
                cls.model_validate_json(body)
                if envelope.type == cls.type
                else cls.model_validate(cls.upcasts[envelope.type](_object(body)))
            )
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)
            if problems[0]["type"] == "json_invalid":
                raise Unreadable("the body is not JSON") from None
            if problems[0]["type"] == "model_type" and not problems[0]["loc"]:
                raise Unreadable("the body is not a JSON object") from None
            fields = sorted(
                {
                    ".".join(str(part) for part in problem["loc"]) + ": " + problem["type"]
                    for problem in problems
                }
            )
            raise Unreadable(f"fields that do not fit: {', '.join(fields)}") from None
        return event.with_envelope(envelope)


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    if not isinstance(data, dict):
        raise Unreadable("the body is not a JSON object")
    return cast("dict[str, Any]", data)


def stem(type_name: str) -> str:
    """A type's name without its major version: `training.course-completed`."""
    return type_name.rpartition(".v")[0] or type_name
