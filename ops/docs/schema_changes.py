"""Finds changes of an event's JSON schema that break its readers.

Not here: the catalogue of events (`event_catalog`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from chassis.messaging.events import stem
from ops.docs.event_catalog import describe_type

_WORDS = {"title", "description", "default", "examples"}  # keywords without effect on validation


def explain_breaking_changes(
    type_name: str, golden: Mapping[str, Any], current: Mapping[str, Any]
) -> str:
    """Return the breaking changes and what to do about them; "" if there are none."""
    problems = find_breaking_changes(golden, current)
    if not problems:
        return ""
    version = int(type_name.rpartition(".v")[2])
    following = f"{stem(type_name)}.v{version + 1}"
    return (
        f"{type_name}: {'; '.join(problems)}. Its readers and the archive have the former schema:"
        f" restore it, and publish {following} with an upcaster at each reader"
        " (an added optional field needs neither)"
    )


def find_breaking_changes(golden: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Return the differences that make the schemas incompatible in either direction.

    Readers of the golden schema read new events, and readers of the current one read the archive.
    """
    return _find_differences(
        _inline_definitions(golden, golden.get("$defs", {})),
        _inline_definitions(current, current.get("$defs", {})),
        "",
    )


def _inline_definitions(
    schema: Any, definitions: Mapping[str, Any], expanded: tuple[str, ...] = ()
) -> Any:
    """Return the schema with each `$ref` replaced by its definition.

    Names of definitions are of no interest to a reader. Inside a recursive definition the reference
    to itself stays.
    """
    if isinstance(schema, list):
        items = cast("list[Any]", schema)
        return [_inline_definitions(item, definitions, expanded) for item in items]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    name = str(fields.get("$ref", "")).rpartition("/")[2]
    if name and name not in expanded:
        own = {keyword: value for keyword, value in fields.items() if keyword != "$ref"}
        return _inline_definitions(definitions[name] | own, definitions, (*expanded, name))
    return {
        keyword: _inline_definitions(value, definitions, expanded)
        for keyword, value in fields.items()
        if keyword != "$defs"
    }


def _find_differences(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> list[str]:
    if "properties" in old and "properties" in new:
        return _compare_fields(old, new, f"{path}." if path else "")
    for keyword in ("items", "additionalProperties"):
        if _differ_only_in_objects(old, new, keyword):
            return _find_differences(old[keyword], new[keyword], path)
    if _differ_only_in(old, new, "anyOf"):
        removed = _choices_missing_in(old, new)
        added = _choices_missing_in(new, old)
        if not removed and not added:
            return []
        if len(removed) == len(added) == 1:
            return _find_differences(removed[0], added[0], path)
    if _normalise_schema(old) == _normalise_schema(new):
        return []
    before = describe_type(old)
    after = describe_type(new)
    if before != after:
        return [f"field {path} changed from {before} to {after}"]
    return [
        f"field {path} changed its {keyword}"
        f" from {old.get(keyword, 'none')} to {new.get(keyword, 'none')}"
        for keyword in sorted(old.keys() | new.keys())
        if not _same_keyword(old, new, keyword)
    ]


def _differ_only_in_objects(old: Mapping[str, Any], new: Mapping[str, Any], keyword: str) -> bool:
    """Return whether both have objects with fields at the keyword and are otherwise equal."""
    inner = (old.get(keyword), new.get(keyword))
    are_objects = all(isinstance(schema, dict) and "properties" in schema for schema in inner)
    return are_objects and _differ_only_in(old, new, keyword)


def _differ_only_in(old: Mapping[str, Any], new: Mapping[str, Any], keyword: str) -> bool:
    if keyword not in old or keyword not in new:
        return False
    return _normalise_schema(old, keyword) == _normalise_schema(new, keyword)


def _choices_missing_in(
    these: Mapping[str, Any], others: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    known = [_normalise_schema(choice) for choice in others["anyOf"]]
    return [choice for choice in these["anyOf"] if _normalise_schema(choice) not in known]


def _same_keyword(old: Mapping[str, Any], new: Mapping[str, Any], keyword: str) -> bool:
    before = _normalise_schema({keyword: old.get(keyword)})
    return before == _normalise_schema({keyword: new.get(keyword)})


def _compare_fields(golden: Mapping[str, Any], current: Mapping[str, Any], path: str) -> list[str]:
    old_fields = golden["properties"]
    new_fields = current["properties"]
    was_required = set(golden.get("required", []))
    is_required = set(current.get("required", []))
    differences: list[str] = []
    for name, field in old_fields.items():
        field_path = f"{path}{name}"
        if name not in new_fields:
            differences.append(f"field {field_path} was removed")
        elif changes := _find_differences(field, new_fields[name], field_path):
            differences += changes
        elif name in was_required - is_required:
            differences.append(f"field {field_path} became optional")
        elif name in is_required - was_required:
            differences.append(f"field {field_path} became required")
    added = [name for name in new_fields if name not in old_fields and name in is_required]
    return differences + [f"field {path}{name} is new and required" for name in added]


def _normalise_schema(
    schema: Any, ignored_keyword: str = "", *, has_field_names: bool = False
) -> Any:
    """Return the schema without _WORDS and the ignored keyword, and with lists sorted."""
    if isinstance(schema, list):
        return sorted((_normalise_schema(item) for item in cast("list[Any]", schema)), key=repr)
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    ignored = set[str]() if has_field_names else {*_WORDS, ignored_keyword}
    normalised: dict[str, Any] = {}
    for keyword, value in fields.items():
        if keyword in ignored:
            continue
        if keyword == "prefixItems":  # the order of these has a meaning
            normalised[keyword] = value
            continue
        names_follow = keyword == "properties" and not has_field_names
        normalised[keyword] = _normalise_schema(value, has_field_names=names_follow)
    return normalised
