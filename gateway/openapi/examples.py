"""Examples of request and response bodies, made from their schemas.

Not here: examples that a service gives itself, which stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

Schema = Mapping[str, Any]
_REFERENCE_PREFIX = "#/components/schemas/"
_MAX_DEPTH = 6
_BY_NAME = {
    "facility_id": "LP-TJP",
    "home": "LP-TJP",
    "regency_code": "19.02",
    "reason": "Sesuai berita acara tanggal 30 November 2026",
    "note": "Sesuai berita acara tanggal 30 November 2026",
    "title": "Pelatihan las listrik",
    "label": "Sistem Dinas Belitung",
    "role": "training_officer",
}
_BY_FORMAT = {
    "date": "2026-11-30",
    "date-time": "2026-11-30T03:00:00Z",
    "binary": "(isi berkas / the bytes of the file)",
    "uuid": "0198c0de-5f2a-7000-8000-000000000001",
}
_ID = "0198c0de-5f2a-7000-8000-000000000001"
# Tried in this order for a text with a pattern.
_CANDIDATES = (
    "contoh",
    "contoh-1",
    "LP-TJP",
    "19.02",
    "2026-11",
    "07:30",
    "123456",
    "1234567890123",
    "/v1/classes",
    "0" * 64,
    "0" * 43,
    "",
)
_ALTERNATIVES = re.compile(r"\^\(([A-Za-z0-9_-]+)(?:\|[A-Za-z0-9_|-]+)?\)\$")


def build_example(schema: Schema, schemas: Mapping[str, Schema], name: str = "") -> Any:
    """Return an example of this schema; references are looked up in `schemas`."""
    return _build(schema, schemas, name, 0)


def _build(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> Any:
    given = _find_given(schema)
    if given:
        return given[0]
    inner = _find_inner(schema, schemas)
    if inner is not None:
        return _build(inner, schemas, name, depth)
    if depth > _MAX_DEPTH:
        return None
    match schema.get("type"):
        case "object":
            return _build_object(schema, schemas, depth)
        case "array":
            return _build_array(schema, schemas, name, depth)
        case kind:
            return _build_scalar(kind, schema, name)


def _build_scalar(kind: str | None, schema: Schema, name: str) -> Any:
    match kind:
        case "string":
            return _build_text(schema, name)
        case "integer" | "number":
            return _build_number(schema)
        case "boolean":
            return True
        case _:
            return None


def _find_inner(schema: Schema, schemas: Mapping[str, Schema]) -> Schema | None:
    """Return the schema that this one refers to, or its first alternative that is not null."""
    if "$ref" in schema:
        return schemas.get(str(schema["$ref"]).removeprefix(_REFERENCE_PREFIX), {})
    for member in ("anyOf", "oneOf", "allOf"):
        choices = cast("list[Schema]", schema.get(member, ()))
        if choices:
            return next((one for one in choices if one.get("type") != "null"), choices[0])
    return None


def _find_given(schema: Schema) -> list[Any]:
    """Return the values that the schema itself gives, the best one first."""
    given = [schema[member] for member in ("example", "const") if member in schema]
    return given + list(schema.get("examples", ())) + list(schema.get("enum", ()))


def _build_object(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    required = set(cast("list[str]", schema.get("required", ())))
    # A change names what it changes, so all its members are optional.
    shown = required or properties.keys()
    built = {
        name: _build(kind, schemas, name, depth + 1)
        for name, kind in properties.items()
        if name in shown
    }
    others = schema.get("additionalProperties")
    if not properties and isinstance(others, dict):
        keys = _build(schema.get("propertyNames", {"type": "string"}), schemas, "", depth + 1)
        built[str(keys or "contoh")] = _build(cast("Schema", others), schemas, "", depth + 1)
    return built


def _build_array(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> list[Any]:
    if schema.get("maxItems") == 0:
        return []
    items = cast("list[Schema]", schema.get("prefixItems", ()))
    if items:
        return [_build(item, schemas, name, depth + 1) for item in items]
    return [_build(cast("Schema", schema.get("items", {})), schemas, name, depth + 1)]


def _build_text(schema: Schema, name: str) -> str:
    if "format" in schema:
        return _BY_FORMAT.get(str(schema["format"]), "contoh")
    pattern = schema.get("pattern")
    by_name = [_BY_NAME[name]] if name in _BY_NAME else []
    if pattern is not None:
        return _match_pattern(str(pattern), [*by_name, *_CANDIDATES], schema)
    is_id = name.endswith(("_id", "_ref")) or name == "id"
    candidates = [*by_name, *([_ID] if is_id else []), "contoh", "Contoh isian yang cukup panjang"]
    return next((text for text in candidates if _fits(text, schema)), _stretch(schema))


def _match_pattern(pattern: str, candidates: list[str], schema: Schema) -> str:
    alternatives = _ALTERNATIVES.fullmatch(pattern)
    if alternatives:
        return alternatives[1]
    found = (text for text in candidates if re.search(pattern, text) and _fits(text, schema))
    return next(found, "contoh")


def _fits(text: str, schema: Schema) -> bool:
    return schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))


def _stretch(schema: Schema) -> str:
    """Return a text of the shortest length that the schema accepts."""
    return "x" * int(schema.get("minLength", 1))


def _build_number(schema: Schema) -> int | float:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    value = max(1, lowest)
    number = min(value, schema.get("maximum", value))
    return int(number) if schema.get("type") == "integer" else number
