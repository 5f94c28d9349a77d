"""Base classes of published events and of consumers' tolerant copies, and the envelope.

Not here: how events are sent (outbox_relay, kafka) or stored (persistence.rows, inbox).

An event on the wire is a CloudEvent 1.0 in binary mode (Kafka protocol binding 3.2): the body is
the data, everything else is headers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, NamedTuple, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError

# The most characters of an id or a key, because operators name events by them.
MAX_NAME = 500
_REQUIRED_HEADERS = ("ce_id", "ce_type", "ce_source", "ce_time", "ce_sequence")
# Headers that hold a text field of the envelope unchanged.
_TEXT_HEADERS = {
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
    """Marks a field whose reference may have been merged into another.

    The field is resolved before a handler gets the event.
    """


Reference = Annotated[str, Aliased()]


class Unreadable(Exception):
    """A record whose headers or body cannot be read.

    `reason` goes into the parked row and holds no data of the record.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SubjectNotKnownYet(Exception):
    """The subject of an event is not known here yet.

    The event is kept and applied when `subject` (an id) is added. Raise it before any write.
    """

    def __init__(self, subject: str) -> None:
        super().__init__("not known yet")
        self.subject = subject


class Event(BaseModel):
    """A fact that a service publishes.

    Subclasses give `type="<service>.<noun>-<past verb>.v<major>"`, and as `key` the name of the
    field that orders the event.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: ClassVar[str] = ""
    key_field: ClassVar[str] = ""

    def __init_subclass__(cls, *, type: str = "", key: str = "", **kwargs: Any) -> None:
        cls.type = type
        cls.key_field = key
        super().__init_subclass__(**kwargs)

    @property
    def facility(self) -> str:
        """The facility that the event names, "" without one."""
        return self.__dict__.get("facility_id", "")

    @property
    def key(self) -> str:
        """The Kafka key: all events of one key take effect in order."""
        return str(getattr(self, self.key_field))


class Envelope(NamedTuple):
    """The CloudEvents attributes of an event: identity, source, order, cause and trace."""

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
        """Return the Kafka headers."""
        headers: list[tuple[str, bytes]] = []
        for header, field in _TEXT_HEADERS.items():
            value = getattr(self, field)
            if value:
                headers.append((header, value.encode()))
        time = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return [
            *headers,
            ("ce_sequence", b"%d" % self.sequence),
            ("ce_aggregateversion", b"%d" % self.aggregate_version),
            ("ce_specversion", b"1.0"),
            ("ce_subject", self.key.encode()),
            ("ce_time", time.encode()),
            ("content-type", b"application/json"),
        ]

    @classmethod
    def of(cls, headers: Mapping[str, str], key: str) -> Self:
        """Return the envelope in these headers.

        Raises Unreadable if a header of identity or order is missing or malformed.
        """
        if max(len(key), len(headers.get("ce_id", ""))) > MAX_NAME:
            raise Unreadable("an id or a key is too long")
        if missing := [name for name in _REQUIRED_HEADERS if not headers.get(name)]:
            raise Unreadable(f"header missing: {', '.join(missing)}")
        if headers.get("ce_specversion") != "1.0":
            raise Unreadable("ce_specversion is not 1.0")
        if headers.get("ce_subject", key) != key:
            raise Unreadable("ce_subject differs from the record's key")
        try:
            time = datetime.fromisoformat(headers["ce_time"])
            sequence = int(headers["ce_sequence"])
            version = int(headers.get("ce_aggregateversion") or 0)
        except ValueError:
            raise Unreadable(
                "a header has the wrong form: ce_time, ce_sequence or ce_aggregateversion"
            ) from None
        if time.tzinfo is None:
            raise Unreadable("ce_time has no zone")
        texts: dict[str, Any] = {
            field: headers.get(header, "") for header, field in _TEXT_HEADERS.items()
        }
        return cls(key=key, time=time, sequence=sequence, aggregate_version=version, **texts)

    @classmethod
    def archived(cls, row: Mapping[str, Any], service: str) -> Self:
        """Return the envelope of an outbox row of this service."""
        texts: dict[str, Any] = {field: row.get(field, "") for field in _TEXT_HEADERS.values()}
        texts["id"] = row["_id"]
        texts["source"] = f"bina/{service}"
        return cls(
            key=row["key"],
            time=row["at"],
            sequence=row["seq"],
            aggregate_version=row["aggregate_version"],
            **texts,
        )


class Inbound(BaseModel):
    """A tolerant copy of an event: only the fields that the consumer reads.

    `aliased` lists the fields that are resolved through the alias table.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str] = ""
    upcasts: ClassVar[Mapping[str, Upcast]] = {}
    aliased: ClassVar[tuple[str, ...]] = ()
    # Not a private attribute of pydantic: that costs more than the rest of reading an event.
    __slots__ = ("__envelope__",)

    def __init_subclass__(
        cls, *, type: str = "", upcasts: Mapping[str, Upcast] | None = None, **kwargs: Any
    ) -> None:
        cls.type = type
        cls.upcasts = upcasts or {}
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
        """The envelope of the event; its key is as sent, not resolved."""
        return self.__envelope__

    def with_envelope(self, envelope: Envelope) -> Self:
        """Return the same event with its envelope."""
        object.__setattr__(self, "__envelope__", envelope)
        return self

    def reads(self) -> Iterable[tuple[Any, str]]:
        """Return the aggregates that the handler will read, as (store class, id).

        The inbox prefetches them for a whole batch. This affects speed only.
        """
        return ()

    @property
    def references(self) -> list[str]:
        """The values of the aliased fields, without empty ones."""
        values = [getattr(self, name) for name in self.aliased]
        return [value for value in values if value]

    def resolved(self, aliases: Mapping[str, str | None]) -> Self:
        """Return the event with the survivors of merges in its aliased fields."""
        survivors: dict[str, str] = {}
        for name in self.aliased:
            into = aliases.get(getattr(self, name))
            if into:
                survivors[name] = into
        if not survivors:
            return self
        return self.model_copy(update=survivors).with_envelope(self.__envelope__)

    @classmethod
    def read(cls, body: bytes, envelope: Envelope) -> Self:
        """Return the event in this body; `upcasts` convert older versions.

        Raises Unreadable, which names the fields that do not fit.
        """
        try:
            if envelope.type == cls.type:
                event = cls.model_validate_json(body)
            else:
                upcast = cls.upcasts[envelope.type]
                event = cls.model_validate(upcast(_object(body)))
        except ValidationError as error:
            raise _unreadable(error) from None
        return event.with_envelope(envelope)


def _unreadable(error: ValidationError) -> Unreadable:
    """Return the error that says which fields of a body do not fit, without their values."""
    problems = error.errors(include_input=False, include_url=False)
    if problems[0]["type"] == "json_invalid":
        return Unreadable("the body is not JSON")
    if problems[0]["type"] == "model_type" and not problems[0]["loc"]:
        return Unreadable("the body is not a JSON object")
    fields: set[str] = set()
    for problem in problems:
        path = ".".join(str(step) for step in problem["loc"])
        fields.add(f"{path}: {problem['type']}")
    return Unreadable(f"fields that do not fit: {', '.join(sorted(fields))}")


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    if not isinstance(data, dict):
        raise Unreadable("the body is not a JSON object")
    return cast("dict[str, Any]", data)


def stem(type_name: str) -> str:
    """Return a type without its major version: `training.course-completed`."""
    return type_name.rpartition(".v")[0] or type_name
