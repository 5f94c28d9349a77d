"""How words of a facility are taught."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from chassis import web
from services.training.mappings import usecases
from services.training.mappings.rules import MappedValue
from services.training.transaction import Run

router = APIRouter(tags=["Impor SDP"])
Text = Annotated[str, Field(min_length=1, max_length=60)]


class NewMappedValue(BaseModel):
    """A word as it stands in the facility's list, and what it means, e.g. release: `Bebas Demi Hukum` = `release_by_law`."""

    model_config = web.STRICT
    field: Text
    word: Text
    code: Text


class MappedValueBody(BaseModel):
    """A word that a facility has taught us."""

    facility_id: str
    field: str
    word: str
    code: str

    @classmethod
    def of(cls, value: MappedValue) -> MappedValueBody:
        """The body of a mapped value."""
        return cls(facility_id=value.facility_id, field=value.field, word=value.word, code=value.code)


@router.post("/v1/facilities/{facility_id}/mapped-values", status_code=201, summary="Beri arti pada istilah daftar penghuni")
async def map_value(facility_id: str, body: NewMappedValue, run: Run) -> MappedValueBody:
    """Rows stopped by the word are taken by `POST /v1/snapshots/{snapshot_id}/stopped-rows`, or by the next snapshot."""
    return MappedValueBody.of(await run(partial(usecases.map_value, facility_id, body.field, body.word, body.code)))
