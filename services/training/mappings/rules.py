"""Where each facility's snapshot holds what, and what its words mean: data read from mappings.toml. Not here: reading a file or judging a row."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chassis.errors import Refused
from chassis.ids import named_id
from services.training.snapshots.reader import Layout, fold

STATUS_NOTE = "status_note"  # one column for absence and release together; its values read "absence:<kind>" or "release:<kind>"


CODES: AnyMapping[str, frozenset[str]] = {
    "absence": frozenset({"leave", "court", "hospital", "investigator_loan", "outside_work"}),
    "release": frozenset(
        {
            "free",
            "conditional_release",
            "conditional_leave",
            "leave_before_release",
            "release_by_law",
            "acquittal",
            "detention_suspended",
            "clemency",
            "remission_release",
            "deportation",
            "death",
            "escape",
        }
    ),
    "legal_status": frozenset({"convicted", "remand", "child", "client"}),
    "sex": frozenset({"male", "female"}),
    "education": frozenset({"none", "primary", "junior", "senior", "diploma", "bachelor"}),
    "risk": frozenset({"low", "medium", "high"}),
}


class MappingUnknown(Refused):
    title = "Susunan kolom berkas UPT ini belum diatur"
    field = "mapping"


class CodeUnknown(Refused):
    title = "Arti ini tidak ada dalam daftar kode"
    field = "code"


class FieldUnknown(Refused):
    title = "Kolom ini tidak memuat istilah yang perlu diberi arti"
    field = "field"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedValue:
    """A word of one facility's lists that was given a meaning after the mapping was written."""

    id: str
    version: int = 0
    facility_id: str
    field: str
    word: str
    code: str
    by: str


def mapped(mapping: Mapping, facility_id: str, field: str, word: str, code: str, by: str) -> MappedValue:
    """A word given a meaning. FieldUnknown or CodeUnknown when the field takes no words, or not this one; `status_note` takes `absence:<kind>` and `release:<kind>`."""
    named = field
    if field == STATUS_NOTE:
        named, _, kind = code.partition(":")
    else:
        kind = code
    if field not in mapping.columns or named not in CODES:
        raise FieldUnknown
    if kind not in CODES[named]:
        raise CodeUnknown(known=sorted(CODES[named]))
    return MappedValue(id=named_id(facility_id, field, fold(word)), facility_id=facility_id, field=field, word=fold(word), code=code, by=by)


def taught(mapping: Mapping, values: Iterable[MappedValue]) -> Mapping:
    """The mapping with the words a facility has taught us."""
    added: dict[str, dict[str, str]] = {}
    for value in values:
        added.setdefault(value.field, {})[value.word] = value.code
    return mapping.with_values(added) if added else mapping


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
