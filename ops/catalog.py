"""The catalogue of events: AsyncAPI 3 and a readable table from the classes themselves, and what makes a schema change breaking. Not here: any event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from chassis.events import Event, Inbound, stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one service publishes and reads."""

    service: str
    published: Sequence[type[Event]]
    reads: Mapping[str, Iterable[type[Inbound]]]


def asyncapi(parts: Sequence[Part]) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all services."""
    events = [(part.service, event) for part in parts for event in sorted(part.published, key=lambda event: event.type)]
    channels = {
        f"{part.service}.events": {
            "address": f"{part.service}.events",
            "description": "Key: the person for every event about a person, else the aggregate. 12 partitions. CloudEvents 1.0, binary mode.",
            "messages": {event.type: {"$ref": f"#/components/messages/{event.type}"} for event in sorted(part.published, key=lambda event: event.type)},
        }
        for part in parts
        if part.published
    }
    operations: dict[str, Any] = {}
    for part in parts:
        if part.published:
            operations[f"{part.service}.send"] = {"action": "send", "channel": {"$ref": f"#/channels/{part.service}.events"}}
        for topic, kinds in sorted(part.reads.items()):
            messages = [{"$ref": f"#/channels/{topic}/messages/{kind.type}"} for kind in sorted(kinds, key=lambda kind: kind.type)]
            operations[f"{part.service}.receive.{topic.removesuffix('.events')}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{topic}"}, "messages": messages}
    messages = {
        event.type: {
            "name": event.type,
            "title": event.__name__,
            "summary": _line(event),
            "contentType": "application/json",
            "payload": event.model_json_schema(ref_template=f"#/components/messages/{event.type}/payload/$defs/{{model}}"),
        }
        for _, event in events
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Bina", "version": "1"},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def table(parts: Sequence[Part]) -> str:
    """`docs/events.md`: each event, its fields, and who reads which of them."""
    lines = [
        "# Events",
        "",
        "Generated from the event classes and the readers' own copies by `./bina docs`; CI fails when it differs. An event type exists only when somebody reads it.",
        "",
    ]
    for part in parts:
        for event in sorted(part.published, key=lambda event: event.type):
            readers = {reader.service: kind for reader in parts for kinds in reader.reads.values() for kind in kinds if event.type in {kind.type, *kind.upcasts}}
            lines += [
                f"## {event.type}",
                "",
                _line(event),
                "",
                f"Key: `{event.key_field}`. Read by: {', '.join(sorted(readers)) or '`audit verify`'}.",
                "",
                "| field | type | read by |",
                "|---|---|---|",
            ]
            schema = event.model_json_schema()
            for name, field in schema.get("properties", {}).items():
                by = ", ".join(sorted(service for service, kind in readers.items() if name in kind.model_fields))
                optional = "" if name in schema.get("required", []) else " (optional)"
                lines.append(f"| `{name}` | {_type(field)}{optional} | {by or '–'} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def unread(parts: Sequence[Part]) -> list[str]:
    """Types that nobody reads (anchors excepted) and types that somebody reads but nobody publishes."""
    published = {event.type for part in parts for event in part.published}
    read = {type_name for part in parts for kinds in part.reads.values() for kind in kinds for type_name in (kind.type, *kind.upcasts)}
    return sorted({type_name for type_name in published - read if not stem(type_name).endswith(".audit-sealed")} | (read - published))


def refusal(type_name: str, golden: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What to do about a schema that readers of the golden one could not read; "" when they can."""
    problems = breaking(golden, now)
    if not problems:
        return ""
    following = f"{stem(type_name)}.v{int(type_name.rpartition('.v')[2]) + 1}"
    todo = f"put it back, and publish {following} with an upcaster at each reader (an added optional field needs neither)"
    return f"{type_name}: {'; '.join(problems)}. Its readers and its archive know it otherwise: {todo}"


def breaking(golden: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Why readers of the golden schema could not read what the new one allows, or the new one what was sent before; empty = compatible."""
    found: list[str] = []
    old, new = golden.get("properties", {}), now.get("properties", {})
    required_then, required_now = set(golden.get("required", [])), set(now.get("required", []))
    for name, field in old.items():
        where = f"{path}{name}"
        if name not in new:
            found.append(f"field {where} was removed")
        elif _shape(field) != _shape(new[name]):
            found.append(f"field {where} changed from {_type(field)} to {_type(new[name])}")
        elif name in required_then - required_now:
            found.append(f"field {where} became optional")
        elif name in required_now - required_then:
            found.append(f"field {where} became required")
    found += [f"field {path}{name} is new and required" for name in new if name not in old and name in required_now]
    for name, definition in golden.get("$defs", {}).items():
        there = now.get("$defs", {}).get(name)
        if there and "properties" not in definition and _shape(definition) != _shape(there):
            found.append(f"{path}{name} changed from {_type(definition)} to {_type(there)}")
        elif there:  # one that is gone shows where it was used
            found += breaking(definition, there, f"{path}{name}.")
    return found


def _shape(field: Mapping[str, Any]) -> Any:
    return {
        name: value if not isinstance(value, dict) else _shape(cast("Mapping[str, Any]", value))
        for name, value in field.items()
        if name not in {"title", "description", "default", "examples"}
    }


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " / ".join(str(one) for one in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("format") or field.get("const") or field.get("type", "any"))


def _line(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().partition("\n")[0]
