"""Routes that merge two records of one person, and decide proposals to do so."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies
from chassis.http.task_bodies import TaskBody
from services.training.merges import usecases
from services.training.merges.rules import MergeChoice
from services.training.participants.api import ParticipantBody
from services.training.tasks.api import body_of
from services.training.transaction import Run

router = APIRouter(tags=["Warga binaan"])


class MergeBody(BaseModel):
    """The reference that survives."""

    model_config = dependencies.STRICT
    into_ref: Annotated[str, Field(min_length=1, max_length=64)]


class MergeDecisionBody(BaseModel):
    """What the officer's facility decides about a merge proposal, and why."""

    model_config = dependencies.STRICT
    choice: MergeChoice
    reason: Annotated[str, Field(min_length=3, max_length=500)]


@router.post(
    "/v1/participants/{participant_ref}/merge", summary="Gabungkan dua data milik satu orang"
)
async def merge_participants(
    participant_ref: str,
    body: MergeBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> ParticipantBody:
    """Merge a record into `into_ref`, with everything recorded about it; it becomes an alias."""
    command = partial(usecases.merge_participants, participant_ref, body.into_ref, version)
    person = await run(command)
    dependencies.set_etag(response, person)
    return ParticipantBody.of(person)


@router.post(
    "/v1/training-tasks/{task_id}/merge-decision",
    summary="Putuskan usulan penggabungan data",
)
async def decide_proposal(
    task_id: str,
    body: MergeDecisionBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> TaskBody:
    """Decide for one's own facility; it takes effect when both facilities agree."""
    command = partial(usecases.decide_proposal, task_id, body.choice, body.reason, version)
    task = await run(command)
    dependencies.set_etag(response, task)
    return body_of(task)
