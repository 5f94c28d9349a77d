"""Routes of mappings: set a facility's mapping, map a word of its files to a code."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.http import dependencies
from services.training.mappings import rules, usecases
from services.training.mappings.rules import MappedValue, StoredMapping
from services.training.transaction import Run

router = APIRouter(tags=["Impor SDP"])
Text = Annotated[str, Field(min_length=1, max_length=60)]


class FacilityFrom(BaseModel):
    """Where a file names its facility: in a column, or in a title row behind a prefix."""

    model_config = dependencies.STRICT
    column: Text | None = None
    title_row: Annotated[int, Field(ge=1, le=50)] | None = None
    prefix: Annotated[str, Field(max_length=60)] = ""


class BlockFrom(BaseModel):
    """The block is the name of the sheet without this prefix."""

    model_config = dependencies.STRICT
    sheet_prefix: Text


class FacilityTable(BaseModel):
    """The layout of a facility's files: a table `facility` of mappings.toml.

    Other keys that the table has in the file are ignored.
    """

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)
    format: Literal["csv", "xlsx", "xls", "ods"]
    encoding: Text = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    sheets: Literal["first", "each"] = "first"
    ignore_sheets: Annotated[list[Text], Field(max_length=50)] = []
    block_from: BlockFrom | None = None
    header_rows: Annotated[
        list[Annotated[int, Field(ge=1, le=50)]], Field(min_length=1, max_length=5)
    ]
    facility_from: FacilityFrom
    date_formats: Annotated[list[Text], Field(min_length=1, max_length=10)]
    columns: dict[Text, Text]
    values: dict[Text, dict[Text, Text]]


class CommonTable(BaseModel):
    """The settings shared by all facilities: the table `common` of mappings.toml.

    Texts are not stripped.
    """

    model_config = ConfigDict(extra="forbid")
    empty_values: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=20)]
    total_markers: Annotated[list[Text], Field(max_length=20)]
    required: Annotated[list[Text], Field(min_length=1, max_length=20)]
    state_driving: Annotated[list[Text], Field(max_length=20)]
    two_digit_years: dict[Text, Literal["past", "future"]]
    nik_strip: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=5)]], Field(max_length=20)
    ]
    months: dict[Text, Annotated[int, Field(ge=1, le=12)]]


class NewMapping(BaseModel):
    """Both tables, as mappings.toml has them."""

    model_config = ConfigDict(extra="forbid")
    facility: FacilityTable
    common: CommonTable


class MappingBody(BaseModel):
    """The mapping of a facility, as an officer set it."""

    facility_id: str
    version: int
    columns: dict[str, str]

    @classmethod
    def of(cls, mapping: StoredMapping) -> MappingBody:
        """Return the body of a stored mapping."""
        return cls(
            facility_id=mapping.id,
            version=mapping.version,
            columns=rules.parse_stored(mapping).columns,
        )


class NewMappedValue(BaseModel):
    """A word of the facility's files and its code.

    For example the field `release`, the word `Bebas Demi Hukum` and the code `release_by_law`.
    """

    model_config = dependencies.STRICT
    field: Text
    word: Text
    code: Text


class MappedValueBody(BaseModel):
    """A word of a facility's files with its code."""

    facility_id: str
    field: str
    word: str
    code: str

    @classmethod
    def of(cls, value: MappedValue) -> MappedValueBody:
        """Return the body of a mapped value."""
        return cls(
            facility_id=value.facility_id, field=value.field, word=value.word, code=value.code
        )


@router.post(
    "/v1/facilities/{facility_id}/mappings",
    status_code=201,
    summary="Atur susunan kolom berkas UPT",
)
async def set_mapping(
    facility_id: str, body: NewMapping, version: dependencies.IfMatch, run: Run, response: Response
) -> MappingBody:
    """Set the tables by which the facility's files are read.

    `If-Match` is required when an officer has set a mapping for the facility before.
    """
    tables = body.model_dump(exclude_none=True)
    mapping = await run(partial(usecases.set_mapping, facility_id, tables, version))
    dependencies.set_etag(response, mapping)
    return MappingBody.of(mapping)


@router.post(
    "/v1/facilities/{facility_id}/mapped-values",
    status_code=201,
    summary="Beri arti pada istilah daftar penghuni",
)
async def map_value(
    facility_id: str, body: NewMappedValue, run: Run, response: Response
) -> MappedValueBody:
    """Map a word of the facility's files to a code.

    Rows that the word stopped are applied by `POST /v1/snapshots/{snapshot_id}/stopped-rows`, or
    by the next snapshot.
    """
    command = partial(usecases.map_value, facility_id, body.field, body.word, body.code)
    value = await run(command)
    dependencies.set_etag(response, value)
    return MappedValueBody.of(value)
