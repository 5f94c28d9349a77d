"""Golden samples: one file per event version, written once and never changed.

`python -m tests.contracts.golden` writes the missing ones and changes no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chassis.messaging.events import Event
from ops.docs.generate import read_catalogue

GOLDEN = Path(__file__).parent / "golden"
_FORMATS = {"date": "2026-11-24", "date-time": "2026-11-24T03:00:00Z"}


def published() -> dict[str, type[Event]]:
    """Return every event class that a service publishes, by type."""
    return {event.type: event for part in read_catalogue() for event in part.published}


def sample(
    schema: Mapping[str, Any], definitions: Mapping[str, Any] | None = None, name: str = "value"
) -> Any:
    """Return a plain value of this JSON schema."""
    known: Mapping[str, Any] = definitions or schema.get("$defs", {})
    if "$ref" in schema:
        return sample(known[str(schema["$ref"]).rpartition("/")[2]], known, name)
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], known, name)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object" and "properties" in schema:
        return {field: sample(inner, known, field) for field, inner in schema["properties"].items()}
    if kind == "object":
        return (
            {"premi": 1} if schema.get("additionalProperties", {}).get("type") == "integer" else {}
        )
    if kind == "array":
        return [sample(schema.get("items", {}), known, name)]
    plain: dict[str, Any] = {
        "integer": max(1, schema.get("minimum", 1)),
        "boolean": True,
        "null": None,
    }
    return plain.get(str(kind), _FORMATS.get(str(schema.get("format")), f"{name}-1"))


def variants(
    schema: Mapping[str, Any], definitions: Mapping[str, Any] | None = None, name: str = "value"
) -> Iterator[Any]:
    """Yield values of this JSON schema, at least one for each choice that it allows.

    Each type and enum member, each optional field left out, empty and full, minimum and maximum.
    """
    known: Mapping[str, Any] = definitions or schema.get("$defs", {})
    if "$ref" in schema:
        yield from variants(known[str(schema["$ref"]).rpartition("/")[2]], known, name)
        return
    for one in schema.get("anyOf", ()):
        yield from variants(one, known, name)
    yield from schema.get("enum", ())
    kind = schema.get("type")
    plain = sample(schema, known, name)
    yield plain
    if kind == "object" and "properties" in schema:
        for field, inner in schema["properties"].items():
            yield from (plain | {field: value} for value in variants(inner, known, field))
            if field not in schema.get("required", ()):
                yield {other: value for other, value in plain.items() if other != field}
    elif kind == "array":
        yield []
        yield from ([value, value] for value in variants(schema.get("items", {}), known, name))
    elif kind == "string" and not schema.get("format"):
        yield from ("", "x" * 5_000)
    others: dict[str, list[Any]] = {
        "object": [{}],
        "integer": [schema.get("minimum", 0), schema.get("maximum", 2**53)],
        "boolean": [False],
    }
    yield from others.get(str(kind), [])


def write_missing() -> list[str]:
    """Write the missing samples and return their types."""
    written: list[str] = []
    for type_name, event in published().items():
        file = GOLDEN / f"{type_name}.json"
        if not file.exists():
            schema = event.model_json_schema()
            file.write_text(
                json.dumps(
                    {"schema": schema, "sample": sample(schema)},
                    indent=1,
                    ensure_ascii=False,
                    sort_keys=True,
                )
                + "\n",
                encoding="utf-8",
            )
            written.append(type_name)
    return written


if __name__ == "__main__":
    write_missing()
