"""Where each facility's snapshot holds what, and what its words mean: data read from mappings.toml. Not here: reading a file or judging a row."""

from __future__ import annotations

import codecs
import json
import tomllib
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chassis.errors import Refused
from chassis.ids import named_id
from services.training.snapshots.reader import ENCODINGS, Layout, fold

DATE_FORMATS = frozenset(
    {
        "excel_date",
        "d month yyyy",
        *(f"dd{mark}mm{mark}{year}" for mark in "/-." for year in ("yyyy", "yy")),
    }
)
ALWAYS_REQUIRED = frozenset(
    {"source_ref", "name", "admission_date"}
)  # without these a row says nothing
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


class MappingInvalid(Refused):
    """`setting` says what does not fit."""

    title = "Susunan kolom ini tidak dapat dipakai"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """How one facility's files are read. Words are kept folded, as they are compared."""

    facility_id: str
    version: int
    layout: Layout
    date_formats: tuple[str, ...]
    months: AnyMapping[str, int]
    values: AnyMapping[str, AnyMapping[str, str]]
    required: frozenset[str]
    state_driving: frozenset[str]
    empty_values: frozenset[str]
    future_years: frozenset[str]
    nik_strip: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """Field -> heading, as the facility writes it."""
        return self.layout["columns"]

    def with_values(self, added: AnyMapping[str, AnyMapping[str, str]]) -> FileMapping:
        """The mapping with more words of a field known (field -> folded word -> code)."""
        return replace(
            self,
            values={
                field: {**self.values.get(field, {}), **added.get(field, {})}
                for field in self.values.keys() | added.keys()
            },
        )


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


def map_value(
    mapping: FileMapping, facility_id: str, field: str, word: str, code: str, by: str
) -> MappedValue:
    """A word given a meaning; FieldUnknown or CodeUnknown when the field takes no words, or not this code."""
    if field not in mapping.columns:
        raise FieldUnknown(name=field)
    _check_code(field, code)
    return MappedValue(
        id=named_id(facility_id, field, fold(word)),
        facility_id=facility_id,
        field=field,
        word=fold(word),
        code=code,
        by=by,
    )


def add_mapped_values(mapping: FileMapping, values: Iterable[MappedValue]) -> FileMapping:
    """The mapping with the words a facility has taught us."""
    added: dict[str, dict[str, str]] = {}
    for value in values:
        added.setdefault(value.field, {})[value.word] = value.code
    return mapping.with_values(added) if added else mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMapping:
    """A facility's mapping as an officer set it; it goes before the file's. `tables` is the JSON of the tables `facility` and `common`, as in mappings.toml."""

    id: str
    version: int = 0
    tables: str
    by: str


def load_mappings(path: Path) -> dict[str, FileMapping]:
    """The mappings of a TOML file by facility code; MappingInvalid says what does not fit."""
    with path.open("rb") as file:
        document = tomllib.load(file)
    return {
        code: parse(code, facility, document["common"], int(document["version"]))
        for code, facility in document.get("facility", {}).items()
    }


def parse_stored(mapping: StoredMapping) -> FileMapping:
    """The mapping that an officer set."""
    tables = json.loads(mapping.tables)
    return parse(mapping.id, tables["facility"], tables["common"], mapping.version)


def parse(code: str, facility: dict[str, Any], common: dict[str, Any], version: int) -> FileMapping:
    """The mapping in these tables; MappingInvalid when it cannot be used."""
    encoding = str(facility.get("encoding", "utf-8"))
    try:
        codecs.lookup(ENCODINGS.get(encoding, encoding))
    except LookupError:
        raise MappingInvalid(f"{code}: encoding", setting="encoding") from None
    if unknown := sorted(set(facility["date_formats"]) - DATE_FORMATS):
        raise MappingInvalid(f"{code}: date_formats", setting="date_formats", unknown=unknown)
    if lacking := sorted(
        ALWAYS_REQUIRED - set(common["required"])
        | set(common["required"]) - set(facility["columns"])
    ):
        raise MappingInvalid(f"{code}: required, columns", setting="columns", lacking=lacking)
    try:
        source = facility["facility_from"]
        block = facility.get("block_from", {})
        return FileMapping(
            facility_id=code,
            version=version,
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
            values={
                field: {fold(word): meaning for word, meaning in words.items()}
                for field, words in facility["values"].items()
            },
            required=frozenset(common["required"]),
            state_driving=frozenset(common["state_driving"]),
            empty_values=frozenset(fold(value) for value in common["empty_values"]),
            future_years=frozenset(
                field for field, century in common["two_digit_years"].items() if century == "future"
            ),
            nik_strip=tuple(common["nik_strip"]),
        )
    except KeyError as error:
        raise MappingInvalid(f"{code}: {error.args[0]}", setting=str(error.args[0])) from error


def check_codes(mapping: FileMapping) -> FileMapping:
    """The mapping itself; CodeUnknown when a word means something that there is no code for."""
    for field, words in mapping.values.items():
        for meaning in words.values():
            _check_code(field, meaning)
    return mapping


def _check_code(field: str, meaning: str) -> None:
    """Return when the field takes this code; `status_note` takes `absence:<kind>` and `release:<kind>`. FieldUnknown or CodeUnknown otherwise."""
    named, _, kind = meaning.partition(":") if field == STATUS_NOTE else (field, "", meaning)
    if named not in CODES:
        raise FieldUnknown(name=field)
    if kind not in CODES[named]:
        raise CodeUnknown(known=sorted(CODES[named]))
