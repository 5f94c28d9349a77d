"""Rules of mappings: the layout of a facility's files, and the codes of the words in them.

Mappings are data, from `mappings.toml` or set by an officer. Not here: reading a file (reader) or
judging a row (snapshot_rows).
"""

from __future__ import annotations

import codecs
import json
import tomllib
from collections.abc import Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from chassis.errors import Refused, VersionDiffers, VersionRequired
from chassis.ids import named_id
from services.training.mappings.parsed_file import ENCODINGS, FORMATS, Layout
from services.training.settings import TEXTS
from services.training.text import fold

EXCEL_DATE = "excel_date"
DATE_FIELDS = (
    "birth_date",
    "admission_date",
    "expected_release",
    "two_thirds_date",
    "release_date",
)
DATE_FORMATS = frozenset(
    {
        EXCEL_DATE,
        *(f"dd{mark}mm{mark}{year}" for mark in "/-." for year in ("yy", "yyyy")),
        *(f"yyyy{mark}mm{mark}dd" for mark in "/-."),
        *(
            mark.join((day, month, year))
            for mark in "/-. "
            for day in ("d", "dd")
            for month in ("mmm", "month")
            for year in ("yy", "yyyy")
        ),
    }
)
# Indonesian and English names and their usual short forms
MONTHS: AnyMapping[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "januari january jan",
            "februari february pebruari feb peb",
            "maret march mar mrt",
            "april apr",
            "mei may",
            "juni june jun",
            "juli july jul",
            "agustus august agu agt agst agust aug ags",
            "september sep sept",
            "oktober october okt oct",
            "november nopember nov nop",
            "desember december des dec",
        ),
        start=1,
    )
    for name in names.split()
}
SHEETS = frozenset({"first", "each"})
TOTAL_MARKERS = ("jumlah", "total")
# no row can be applied without these fields
ALWAYS_REQUIRED = frozenset({"source_ref", "name", "admission_date"})
# one column for absence and release together; its codes are "absence:<kind>" or "release:<kind>"
STATUS_NOTE = "status_note"
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
    title = TEXTS["errors.mapping_unknown"]
    field = "mapping"


class MappingBroken(Refused):
    """The mapping file has a mapping for this facility that cannot be used."""

    title = TEXTS["errors.mapping_broken"]
    field = "mapping"


class CodeUnknown(Refused):
    title = TEXTS["errors.code_unknown"]
    field = "code"


class FieldUnknown(Refused):
    title = TEXTS["errors.field_unknown"]
    field = "field"


class MappingInvalid(Refused):
    """`setting` is the invalid setting."""

    title = TEXTS["errors.mapping_invalid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """How the files of one facility are read; its words are folded (`fold`) for comparison."""

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
        """The heading of each field, as the facility writes it."""
        return self.layout["columns"]


@dataclass(frozen=True, slots=True)
class BrokenMapping:
    """A mapping of the mapping file that cannot be used: its setting and the unknown word."""

    code: str
    setting: str
    word: str

    def __str__(self) -> str:
        return f"{self.code}: {self.setting}: {self.word}"


@dataclass(frozen=True, slots=True)
class MappingFile:
    """The mappings of the mapping file by code, and those that cannot be used."""

    usable: AnyMapping[str, FileMapping]
    broken: AnyMapping[str, BrokenMapping]

    def get(self, code: str) -> FileMapping | None:
        """Return the mapping of this code. Raises MappingBroken when it cannot be used."""
        broken = self.broken.get(code)
        if broken is not None:
            raise MappingBroken(setting=broken.setting, word=broken.word)
        return self.usable.get(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedValue:
    """The code of a word in one facility's files, set in addition to its mapping."""

    id: str
    version: int = 0
    facility_id: str
    field: str
    word: str
    code: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMapping:
    """The mapping that an officer set for a facility; it replaces that of the mapping file.

    `tables` is the JSON of the tables `facility` and `common`, as in `mappings.toml`.
    """

    id: str
    version: int = 0
    tables: str
    by: str


def require_mapping(mapping: FileMapping | None) -> FileMapping:
    """Return the mapping. Raises MappingUnknown when the facility has none."""
    if mapping is None:
        raise MappingUnknown
    return mapping


def require_version(mapping: StoredMapping, if_match: int | None) -> None:
    """Check that a change names the version in force. Raises VersionRequired, VersionDiffers."""
    if if_match is None:
        raise VersionRequired
    if if_match != mapping.version:
        raise VersionDiffers(current_version=mapping.version)


def map_value(
    mapping: FileMapping, facility_id: str, field: str, word: str, code: str, by: str
) -> MappedValue:
    """Return the word mapped to the code.

    Raises FieldUnknown for a field without column or codes, CodeUnknown for a code that the field
    does not accept.
    """
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


def replace_mapping(in_file: FileMapping | None, stored: FileMapping) -> FileMapping:
    """Return the mapping that an officer set, with a version above that of the mapping file."""
    return replace(stored, version=stored.version + (in_file.version if in_file else 0))


def add_mapped_values(mapping: FileMapping, mapped: Iterable[MappedValue]) -> FileMapping:
    """Return the mapping with these words added to the words of their fields.

    Each change of a word raises the version.
    """
    values = {field: dict(words) for field, words in mapping.values.items()}
    version = mapping.version
    for value in mapped:
        values.setdefault(value.field, {})[value.word] = value.code
        version += value.version
    return replace(mapping, version=version, values=values)


def load_mappings(path: Path) -> MappingFile:
    """Return the mappings of a TOML file; one that cannot be used leaves its facility out."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        return MappingFile({}, {"*": BrokenMapping("*", "TOML", str(error))})
    facilities: dict[str, dict[str, Any]] = document.get("facility", {})
    common: dict[str, Any] = document.get("common", {})
    usable: dict[str, FileMapping] = {}
    broken: dict[str, BrokenMapping] = {}
    for code, facility in facilities.items():
        try:
            usable[code] = check_codes(parse(code, facility, common, int(document["version"])))
        except (MappingInvalid, CodeUnknown, FieldUnknown) as error:
            broken[code] = BrokenMapping(code, *_describe(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            broken[code] = BrokenMapping(code, type(error).__name__, str(error))
    return MappingFile(usable, broken)


def _describe(error: Refused) -> tuple[str, str]:
    """Return the setting of an unusable mapping, and the words that are not known."""
    facts = error.facts
    words: Any = facts.get("unknown") or facts.get("lacking") or facts.get("name") or ""
    if isinstance(words, list):
        words = ", ".join(map(str, cast("list[Any]", words)))
    return str(facts.get("setting", error.field)), str(words)


def parse_stored(mapping: StoredMapping) -> FileMapping:
    """Return the mapping that an officer set. Raises MappingInvalid."""
    tables = json.loads(mapping.tables)
    return parse(mapping.id, tables["facility"], tables["common"], mapping.version)


def parse(code: str, facility: dict[str, Any], common: dict[str, Any], version: int) -> FileMapping:
    """Return the mapping in these tables. Raises MappingInvalid with the invalid setting."""
    try:
        _check_settings(code, facility, common)
        values: dict[str, dict[str, str]] = facility["values"]
        centuries: dict[str, str] = common["two_digit_years"]
        return FileMapping(
            facility_id=code,
            version=version,
            layout=_parse_layout(facility, common),
            date_formats=tuple(facility["date_formats"]),
            months={**MONTHS, **{fold(name): number for name, number in common["months"].items()}},
            values={field: _fold_words(words) for field, words in values.items()},
            required=frozenset(common["required"]),
            state_driving=frozenset(common["state_driving"]),
            empty_values=frozenset(fold(value) for value in common["empty_values"]),
            future_years=frozenset(
                field for field, century in centuries.items() if century == "future"
            ),
            nik_strip=tuple(common["nik_strip"]),
        )
    except KeyError as error:
        setting = str(error.args[0])
        raise MappingInvalid(f"{code}: {setting}", setting=setting) from error


def check_codes(mapping: FileMapping) -> FileMapping:
    """Return the mapping unchanged. Raises FieldUnknown, CodeUnknown for an invalid code."""
    for field, words in mapping.values.items():
        for meaning in words.values():
            _check_code(field, meaning)
    return mapping


def _check_settings(code: str, facility: dict[str, Any], common: dict[str, Any]) -> None:
    if facility["format"] not in FORMATS:
        raise MappingInvalid(
            f"{code}: format", setting="format", unknown=facility["format"], known=sorted(FORMATS)
        )
    if facility.get("sheets", "first") not in SHEETS:
        raise MappingInvalid(
            f"{code}: sheets", setting="sheets", unknown=facility["sheets"], known=sorted(SHEETS)
        )
    encoding = str(facility.get("encoding", "utf-8"))
    try:
        codecs.lookup(ENCODINGS.get(encoding, encoding))
    except LookupError:
        raise MappingInvalid(f"{code}: encoding", setting="encoding", unknown=encoding) from None
    unknown = sorted(set(facility["date_formats"]) - DATE_FORMATS)
    if unknown:
        raise MappingInvalid(f"{code}: date_formats", setting="date_formats", unknown=unknown)
    required = set(common["required"])
    not_required = ALWAYS_REQUIRED - required
    without_column = required - set(facility["columns"])
    lacking = sorted(not_required | without_column)
    if lacking:
        raise MappingInvalid(f"{code}: required, columns", setting="columns", lacking=lacking)


def _parse_layout(facility: dict[str, Any], common: dict[str, Any]) -> Layout:
    source: dict[str, Any] = facility["facility_from"]
    block: dict[str, Any] = facility.get("block_from", {})
    return {
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
        "required": list(common["required"]),
        "empty_values": [fold(value) for value in common["empty_values"]],
        "total_markers": [*TOTAL_MARKERS, *map(fold, common["total_markers"])],
    }


def _fold_words(words: AnyMapping[str, str]) -> dict[str, str]:
    return {fold(word): meaning for word, meaning in words.items()}


def _check_code(field: str, meaning: str) -> None:
    """Check that the field accepts this code. Raises FieldUnknown, CodeUnknown.

    The codes of `status_note` are `absence:<kind>` and `release:<kind>`.
    """
    code_field = field
    code = meaning
    if field == STATUS_NOTE:
        code_field, _, code = meaning.partition(":")
    if code_field not in CODES:
        raise FieldUnknown(name=field)
    if code not in CODES[code_field]:
        raise CodeUnknown(known=sorted(CODES[code_field]), unknown=meaning)
