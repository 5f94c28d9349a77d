"""The catalogue of events, generated from their classes: AsyncAPI 3 and a table for people.

Not here: the events, and the detection of breaking changes (`schema_changes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from chassis.messaging.events import Event, Inbound, stem

_CHANNEL_DESCRIPTION = (
    "Key: the person for every event about a person, else the aggregate."
    " 12 partitions. CloudEvents 1.0, binary mode."
)
_INTRODUCTION = (
    "Generated from the event classes and the readers' own copies by `./bina docs`;"
    " CI fails when it differs. An event type exists only when somebody reads it."
)
_PAYLOAD_REFERENCE = "#/components/messages/{}/payload/$defs/{{model}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvents:
    """The events that one service publishes, and its tolerant copies by topic."""

    service: str
    published: Sequence[type[Event]]
    consumed: Mapping[str, Iterable[type[Inbound]]]

    @property
    def topic(self) -> str:
        """The topic of the service."""
        return f"{self.service}.events"

    @property
    def sorted_events(self) -> list[type[Event]]:
        """The published events, sorted by type."""
        return sorted(self.published, key=lambda event: event.type)


def render_asyncapi(services: Sequence[ServiceEvents]) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of all services."""
    publishers = [service for service in services if service.published]
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for service in services:
        operations |= _operations(service)
        messages |= {event.type: _message(event) for event in service.sorted_events}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Bina", "version": "1"},
        "defaultContentType": "application/json",
        "channels": {service.topic: _channel(service) for service in publishers},
        "operations": operations,
        "components": {"messages": messages},
    }


def _channel(service: ServiceEvents) -> dict[str, Any]:
    types = [event.type for event in service.sorted_events]
    return {
        "address": service.topic,
        "description": _CHANNEL_DESCRIPTION,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in types},
    }


def _operations(service: ServiceEvents) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    if service.published:
        operations[f"{service.service}.send"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{service.topic}"},
        }
    for topic, kinds in sorted(service.consumed.items()):
        types = sorted(kind.type for kind in kinds)
        operations[f"{service.service}.receive.{topic.removesuffix('.events')}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in types],
        }
    return operations


def _message(event: type[Event]) -> dict[str, Any]:
    schema = event.model_json_schema(ref_template=_PAYLOAD_REFERENCE.format(event.type))
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": _first_doc_line(event),
        "contentType": "application/json",
        "payload": schema,
    }


def render_table(services: Sequence[ServiceEvents]) -> str:
    """Return the text of docs/events.md: each event with its fields and their readers."""
    lines = ["# Events", "", _INTRODUCTION, ""]
    for service in services:
        for event in service.sorted_events:
            lines += [*_event_section(event, _readers(event, services)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _readers(event: type[Event], services: Sequence[ServiceEvents]) -> dict[str, type[Inbound]]:
    """Return the tolerant copy of each service that reads the event, by service."""
    readers: dict[str, type[Inbound]] = {}
    for service in services:
        for kinds in service.consumed.values():
            for kind in kinds:
                if event.type in {kind.type, *kind.upcasts}:
                    readers[service.service] = kind
    return readers


def _event_section(event: type[Event], readers: Mapping[str, type[Inbound]]) -> list[str]:
    read_by = ", ".join(sorted(readers)) or "`audit verify`"
    lines = [
        f"## {event.type}",
        "",
        _first_doc_line(event),
        "",
        f"Key: `{event.key_field}`. Read by: {read_by}.",
        "",
        "| field | type | read by |",
        "|---|---|---|",
    ]
    schema = event.model_json_schema()
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        services = sorted(it for it, kind in readers.items() if name in kind.model_fields)
        optional = "" if name in required else " (optional)"
        kind_words = f"{describe_type(field)}{optional}"
        lines.append(f"| `{name}` | {kind_words} | {', '.join(services) or '–'} |")
    return lines


def find_unread(services: Sequence[ServiceEvents]) -> list[str]:
    """Return published types without a reader, and types that are read but not published.

    Audit anchors need no reader. A former version that readers only upcast need not be published:
    the archive still has it.
    """
    published = {(it.topic, event.type) for it in services for event in it.published}
    consumed: set[tuple[str, str]] = set()
    understood: set[tuple[str, str]] = set()
    for service in services:
        for topic, kinds in service.consumed.items():
            for kind in kinds:
                consumed.add((topic, kind.type))
                understood |= {(topic, name) for name in (kind.type, *kind.upcasts)}
    unread = {name for _, name in published - understood}
    unread = {name for name in unread if not stem(name).endswith(".audit-sealed")}
    return sorted(unread | {name for _, name in consumed - published})


def describe_type(field: Mapping[str, Any]) -> str:
    """Return a short description of the type of a JSON schema's field."""
    if "anyOf" in field:
        return " or ".join(describe_type(choice) for choice in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "properties" in field:
        return str(field.get("title", "object"))
    if "enum" in field:
        return " / ".join(str(value) for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {describe_type(field.get('items', {}))}"
    if isinstance(values := field.get("additionalProperties"), dict):
        return f"{describe_type(cast('dict[str, Any]', values))} by name"
    return str(field.get("format") or field.get("const") or field.get("type", "any"))


def _first_doc_line(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().partition("\n")[0]
