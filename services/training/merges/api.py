"""How a merge is asked for."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies
from services.training.merges import usecases
from services.training.participants.api import ParticipantBody
from services.training.transaction import Run

router = APIRouter(tags=["Warga binaan"])


class Merge(BaseModel):
    """The reference that survives."""

    model_config = dependencies.STRICT
    into_ref: Annotated[str, Field(min_length=1, max_length=64)]


@router.post(
    "/v1/participants/{participant_ref}/merge", summary="Gabungkan dua data milik satu orang"
)
async def merge_participants(
    participant_ref: str, body: Merge, version: dependencies.IfMatch, run: Run, response: Response
) -> ParticipantBody:
    """The record becomes another name of `into_ref`; everything recorded about it goes over."""
    person = await run(
        partial(usecases.merge_participants, participant_ref, body.into_ref, version)
    )
    dependencies.set_etag(response, person)
    return ParticipantBody.of(person)
