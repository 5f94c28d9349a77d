"""Where each facility's snapshot holds what, and what its words mean: data read from mappings.toml. Not here: reading a file or judging a row."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.training.snapshots.reader import Layout, fold

STATUS_NOTE = "status_note"  # one column for absence and release together; its values read "absence:<kind>" or "release:<kind>"


class MappingInvalid(ValueError):
    """The mapping file cannot be used; the message names the facility and the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How one facility's files are read. Words are kept folded, as they are compared."""

    facility_id: str
    version: int
    layout: Layout
    date_formats: tuple[str, ...]
    months: AnyMapping[str, int]
    values: AnyMapping[str, AnyMapping[str, str]]
    required: frozenset[str]
    empty_values: frozenset[str]
    future_years: frozenset[str]
    nik_strip: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """Field -> heading, as the facility writes it."""
        return self.layout["columns"]

    def with_values(self, added: AnyMapping[str, AnyMapping[str, str]]) -> Mapping:
        """The mapping with more words of a field known (field -> folded word -> code)."""
        return replace(self, values={field: {**self.values.get(field, {}), **added.get(field, {})} for field in self.values.keys() | added.keys()})


def load(path: Path) -> dict[str, Mapping]:
    """The mappings of a TOML file by facility code; MappingInvalid says what does not fit."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    return {code: _mapping(code, facility, document) for code, facility in document.get("facility", {}).items()}


def _mapping(code: str, facility: dict[str, Any], document: dict[str, Any]) -> Mapping:
    common = document["common"]
    try:
        source = facility["facility_from"]
        block = facility.get("block_from", {})
        return Mapping(
            facility_id=code,
            version=int(document["version"]),
            layout={
                "format": facility["format"],
                "encoding": facility.get("encoding", "utf-8"),
                "delimiter": facility.get("delimiter", ","),
                "sheets": facility.get("sheets", "first"),
                "ignore_sheets": list(facility.get("ignore_sheets", [])),
                "sheet_prefix": block.get("sheet_prefix"),
                "header_rows": list(facility["header_rows"]),
                "facility_column": source.get("column"),
                "facility_row": source.get("title_row"),
                "facility_prefix": source.get("prefix", ""),
                "columns": dict(facility["columns"]),
                "total_markers": list(common["total_markers"]),
            },
            date_formats=tuple(facility["date_formats"]),
            months={fold(name): number for name, number in common["months"].items()},
            values={field: {fold(word): meaning for word, meaning in words.items()} for field, words in facility["values"].items()},
            required=frozenset(common["required"]),
            empty_values=frozenset(fold(value) for value in common["empty_values"]),
            future_years=frozenset(field for field, century in common["two_digit_years"].items() if century == "future"),
            nik_strip=tuple(common["nik_strip"]),
        )
    except KeyError as error:
        message = f"facility.{code}: {error.args[0]} is missing"
        raise MappingInvalid(message) from error
