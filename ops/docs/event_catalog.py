"""The catalogue of events: AsyncAPI 3 and a readable table from the classes themselves, and what makes a schema change breaking. Not here: any event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from chassis.messaging.events import Event, Inbound, stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one service publishes and reads."""

    service: str
    published: Sequence[type[Event]]
    reads: Mapping[str, Iterable[type[Inbound]]]


def asyncapi(parts: Sequence[Part]) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all services."""
    events = [
        (part.service, event)
        for part in parts
        for event in sorted(part.published, key=lambda event: event.type)
    ]
    channels = {
        f"{part.service}.events": {
            "address": f"{part.service}.events",
            "description": "Key: the person for every event about a person, else the aggregate. 12 partitions. CloudEvents 1.0, binary mode.",
            "messages": {
                event.type: {"$ref": f"#/components/messages/{event.type}"}
                for event in sorted(part.published, key=lambda event: event.type)
            },
        }
        for part in parts
        if part.published
    }
    operations: dict[str, Any] = {}
    for part in parts:
        if part.published:
            operations[f"{part.service}.send"] = {
                "action": "send",
                "channel": {"$ref": f"#/channels/{part.service}.events"},
            }
        for topic, kinds in sorted(part.reads.items()):
            messages = [
                {"$ref": f"#/channels/{topic}/messages/{kind.type}"}
                for kind in sorted(kinds, key=lambda kind: kind.type)
            ]
            operations[f"{part.service}.receive.{topic.removesuffix('.events')}"] = {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": messages,
            }
    messages = {
        event.type: {
            "name": event.type,
            "title": event.__name__,
            "summary": _line(event),
            "contentType": "application/json",
            "payload": event.model_json_schema(
                ref_template=f"#/components/messages/{event.type}/payload/$defs/{{model}}"
            ),
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
            readers = {
                reader.service: kind
                for reader in parts
                for kinds in reader.reads.values()
                for kind in kinds
                if event.type in {kind.type, *kind.upcasts}
            }
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
                by = ", ".join(
                    sorted(
                        service for service, kind in readers.items() if name in kind.model_fields
                    )
                )
                optional = "" if name in schema.get("required", []) else " (optional)"
                lines.append(f"| `{name}` | {_type(field)}{optional} | {by or '–'} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def unread(parts: Sequence[Part]) -> list[str]:
    """Types that nobody reads (anchors excepted) and types that somebody reads where nobody publishes them. A version that is only lifted may be gone: the archive has it."""
    published = {
        (f"{part.service}.events", event.type) for part in parts for event in part.published
    }
    read = {
        (topic, kind) for part in parts for topic, kinds in part.reads.items() for kind in kinds
    }
    heard = {(topic, type_name) for topic, kind in read for type_name in (kind.type, *kind.upcasts)}
    unheard = {
        type_name
        for _, type_name in published - heard
        if not stem(type_name).endswith(".audit-sealed")
    }
    return sorted(
        unheard | {kind.type for topic, kind in read if (topic, kind.type) not in published}
    )


def refusal(type_name: str, golden: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What to do about a schema that readers of the golden one could not read; "" when they can."""
    problems = breaking(golden, now)
    if not problems:
        return ""
    following = f"{stem(type_name)}.v{int(type_name.rpartition('.v')[2]) + 1}"
    todo = f"put it back, and publish {following} with an upcaster at each reader (an added optional field needs neither)"
    return (
        f"{type_name}: {'; '.join(problems)}. Its readers and its archive know it otherwise: {todo}"
    )


def breaking(golden: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Why readers of the golden schema could not read what the new one allows, or the new one what was sent before; empty = compatible."""
    return _differences(
        _whole(golden, golden.get("$defs", {})), _whole(now, now.get("$defs", {})), ""
    )


def _whole(schema: Any, definitions: Mapping[str, Any], within: tuple[str, ...] = ()) -> Any:
    """The schema with each definition where it is used: what it is called and where it stands is nothing to a reader. One that holds itself stays a reference inside."""
    if isinstance(schema, list):
        return [_whole(one, definitions, within) for one in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    if (
        isinstance(reference := known.get("$ref"), str)
        and (name := reference.rpartition("/")[2]) not in within
    ):
        return _whole(
            definitions[name] | {word: value for word, value in known.items() if word != "$ref"},
            definitions,
            (*within, name),
        )
    return {
        word: _whole(value, definitions, within) for word, value in known.items() if word != "$defs"
    }


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> list[str]:
    if "properties" in old and "properties" in new:
        return _fields(old, new, f"{where}." if where else "")
    for inner in ("items", "additionalProperties"):
        these, those = old.get(inner), new.get(inner)
        if (
            isinstance(these, dict)
            and isinstance(those, dict)
            and "properties" in these
            and "properties" in those
            and _shape(old, inner) == _shape(new, inner)
        ):
            return _differences(cast("dict[str, Any]", these), cast("dict[str, Any]", those), where)
    if "anyOf" in old and "anyOf" in new and _shape(old, "anyOf") == _shape(new, "anyOf"):
        gone, come = (
            [one for one in these["anyOf"] if _shape(one) not in map(_shape, others["anyOf"])]
            for these, others in ((old, new), (new, old))
        )
        if len(gone) == len(come) <= 1:
            return _differences(gone[0], come[0], where) if gone else []
    if _shape(old) == _shape(new):
        return []
    if (before := _type(old)) != (after := _type(new)):
        return [f"field {where} changed from {before} to {after}"]
    words = [
        word
        for word in sorted(old.keys() | new.keys())
        if _shape({word: old.get(word)}) != _shape({word: new.get(word)})
    ]
    return [
        f"field {where} changed its {word} from {old.get(word, 'none')} to {new.get(word, 'none')}"
        for word in words
    ]


def _fields(golden: Mapping[str, Any], now: Mapping[str, Any], path: str) -> list[str]:
    found: list[str] = []
    old, new = golden["properties"], now["properties"]
    required_then, required_now = set(golden.get("required", [])), set(now.get("required", []))
    for name, field in old.items():
        where = f"{path}{name}"
        if name not in new:
            found.append(f"field {where} was removed")
            continue
        if changed := _differences(field, new[name], where):
            found += changed
        elif name in required_then - required_now:
            found.append(f"field {where} became optional")
        elif name in required_now - required_then:
            found.append(f"field {where} became required")
    return found + [
        f"field {path}{name} is new and required"
        for name in new
        if name not in old and name in required_now
    ]


def _shape(schema: Any, apart: str = "", *, names: bool = False) -> Any:
    """What a schema allows, without its words (and without one keyword): the order of choices is none of it."""
    if isinstance(schema, list):
        return sorted((_shape(one) for one in cast("list[Any]", schema)), key=repr)
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    kept = {
        word: value
        for word, value in known.items()
        if names or word not in {"title", "description", "default", "examples", apart}
    }
    return {
        word: value
        if word == "prefixItems"
        else _shape(value, names=word == "properties" and not names)
        for word, value in kept.items()
    }


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "properties" in field:
        return str(field.get("title", "object"))
    if "enum" in field:
        return " / ".join(str(one) for one in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if isinstance(values := field.get("additionalProperties"), dict):
        return f"{_type(cast('dict[str, Any]', values))} by name"
    return str(field.get("format") or field.get("const") or field.get("type", "any"))


def _line(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().partition("\n")[0]
