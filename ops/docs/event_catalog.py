"""The catalogue of events: AsyncAPI 3 and a readable table from the classes themselves, and what makes a schema change breaking. Not here: any event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from chassis.messaging.events import Event, Inbound, stem


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEvents:
    """What one service publishes and reads."""

    service: str
    published: Sequence[type[Event]]
    consumed: Mapping[str, Iterable[type[Inbound]]]


def render_asyncapi(services: Sequence[ServiceEvents]) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of all services."""
    events = [
        (part.service, event)
        for part in services
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
        for part in services
        if part.published
    }
    operations: dict[str, Any] = {}
    for part in services:
        if part.published:
            operations[f"{part.service}.send"] = {
                "action": "send",
                "channel": {"$ref": f"#/channels/{part.service}.events"},
            }
        for topic, kinds in sorted(part.consumed.items()):
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
            "summary": _first_doc_line(event),
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


def render_table(services: Sequence[ServiceEvents]) -> str:
    """`docs/events.md`: each event, its fields, and who reads which of them."""
    lines = [
        "# Events",
        "",
        "Generated from the event classes and the readers' own copies by `./bina docs`; CI fails when it differs. An event type exists only when somebody reads it.",
        "",
    ]
    for part in services:
        for event in sorted(part.published, key=lambda event: event.type):
            readers = {
                reader.service: kind
                for reader in services
                for kinds in reader.consumed.values()
                for kind in kinds
                if event.type in {kind.type, *kind.upcasts}
            }
            lines += [
                f"## {event.type}",
                "",
                _first_doc_line(event),
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
                lines.append(f"| `{name}` | {_describe_type(field)}{optional} | {by or '–'} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def find_unread(services: Sequence[ServiceEvents]) -> list[str]:
    """Types that nobody reads (anchors excepted) and types that somebody reads where nobody publishes them. A version that is only lifted may be gone: the archive has it."""
    published = {
        (f"{part.service}.events", event.type) for part in services for event in part.published
    }
    read = {
        (topic, kind)
        for part in services
        for topic, kinds in part.consumed.items()
        for kind in kinds
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


def explain_breaking_changes(
    type_name: str, golden: Mapping[str, Any], now: Mapping[str, Any]
) -> str:
    """What to do about a schema that readers of the golden one could not read; "" when they can."""
    problems = find_breaking_changes(golden, now)
    if not problems:
        return ""
    following = f"{stem(type_name)}.v{int(type_name.rpartition('.v')[2]) + 1}"
    todo = f"put it back, and publish {following} with an upcaster at each reader (an added optional field needs neither)"
    return (
        f"{type_name}: {'; '.join(problems)}. Its readers and its archive know it otherwise: {todo}"
    )


def find_breaking_changes(golden: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Why readers of the golden schema could not read what the new one allows, or the new one what was sent before; empty = compatible."""
    return _find_differences(
        _inline_definitions(golden, golden.get("$defs", {})),
        _inline_definitions(now, now.get("$defs", {})),
        "",
    )


def _inline_definitions(
    schema: Any, definitions: Mapping[str, Any], expanded: tuple[str, ...] = ()
) -> Any:
    """The schema with each definition where it is used: what it is called and where it stands is nothing to a reader. One that holds itself stays a reference inside."""
    if isinstance(schema, list):
        return [
            _inline_definitions(one, definitions, expanded) for one in cast("list[Any]", schema)
        ]
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    if (
        isinstance(reference := known.get("$ref"), str)
        and (name := reference.rpartition("/")[2]) not in expanded
    ):
        return _inline_definitions(
            definitions[name] | {word: value for word, value in known.items() if word != "$ref"},
            definitions,
            (*expanded, name),
        )
    return {
        word: _inline_definitions(value, definitions, expanded)
        for word, value in known.items()
        if word != "$defs"
    }


def _find_differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> list[str]:
    if "properties" in old and "properties" in new:
        return _compare_fields(old, new, f"{path}." if path else "")
    for inner in ("items", "additionalProperties"):
        these, those = old.get(inner), new.get(inner)
        if (
            isinstance(these, dict)
            and isinstance(those, dict)
            and "properties" in these
            and "properties" in those
            and _normalise_schema(old, inner) == _normalise_schema(new, inner)
        ):
            return _find_differences(
                cast("dict[str, Any]", these), cast("dict[str, Any]", those), path
            )
    if (
        "anyOf" in old
        and "anyOf" in new
        and _normalise_schema(old, "anyOf") == _normalise_schema(new, "anyOf")
    ):
        gone, come = (
            [
                one
                for one in these["anyOf"]
                if _normalise_schema(one) not in map(_normalise_schema, others["anyOf"])
            ]
            for these, others in ((old, new), (new, old))
        )
        if len(gone) == len(come) <= 1:
            return _find_differences(gone[0], come[0], path) if gone else []
    if _normalise_schema(old) == _normalise_schema(new):
        return []
    if (before := _describe_type(old)) != (after := _describe_type(new)):
        return [f"field {path} changed from {before} to {after}"]
    words = [
        word
        for word in sorted(old.keys() | new.keys())
        if _normalise_schema({word: old.get(word)}) != _normalise_schema({word: new.get(word)})
    ]
    return [
        f"field {path} changed its {word} from {old.get(word, 'none')} to {new.get(word, 'none')}"
        for word in words
    ]


def _compare_fields(golden: Mapping[str, Any], now: Mapping[str, Any], path: str) -> list[str]:
    found: list[str] = []
    old, new = golden["properties"], now["properties"]
    required_then, required_now = set(golden.get("required", [])), set(now.get("required", []))
    for name, field in old.items():
        where = f"{path}{name}"
        if name not in new:
            found.append(f"field {where} was removed")
            continue
        if changed := _find_differences(field, new[name], where):
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


def _normalise_schema(
    schema: Any, ignored_keyword: str = "", *, has_field_names: bool = False
) -> Any:
    """What a schema allows, without its words (and without one keyword): the order of choices is none of it."""
    if isinstance(schema, list):
        return sorted((_normalise_schema(one) for one in cast("list[Any]", schema)), key=repr)
    if not isinstance(schema, dict):
        return schema
    known = cast("dict[str, Any]", schema)
    kept = {
        word: value
        for word, value in known.items()
        if has_field_names
        or word not in {"title", "description", "default", "examples", ignored_keyword}
    }
    return {
        word: value
        if word == "prefixItems"
        else _normalise_schema(value, has_field_names=word == "properties" and not has_field_names)
        for word, value in kept.items()
    }


def _describe_type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_describe_type(one) for one in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "properties" in field:
        return str(field.get("title", "object"))
    if "enum" in field:
        return " / ".join(str(one) for one in field["enum"])
    if field.get("type") == "array":
        return f"list of {_describe_type(field.get('items', {}))}"
    if isinstance(values := field.get("additionalProperties"), dict):
        return f"{_describe_type(cast('dict[str, Any]', values))} by name"
    return str(field.get("format") or field.get("const") or field.get("type", "any"))


def _first_doc_line(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().partition("\n")[0]
