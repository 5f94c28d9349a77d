"""Routes of work assignments.

Not here: work logs (batches).
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Day
from services.marketplace.transaction import Run
from services.marketplace.workers import usecases
from services.marketplace.workers.rules import Assignment, AssignmentId
from services.marketplace.workshops.rules import WorkshopId

router = APIRouter(prefix="/v1/work-assignments", tags=["Penugasan kerja"])


class AssignmentIn(BaseModel):
    model_config = dependencies.STRICT
    participant_ref: str = Field(min_length=1, max_length=80)
    workshop_id: str
    role: str = Field(min_length=1, max_length=80)
    consented_on: Day
    from_on: Day


class AssignmentBody(BaseModel):
    id: str
    version: int
    participant_ref: str
    workshop_id: str
    facility_id: str
    role: str
    consented_on: date
    from_on: date
    to_on: date | None
    ended_because: str | None

    @classmethod
    def of(cls, assignment: Assignment) -> Self:
        """Return the body of an assignment."""
        return cls(
            id=assignment.id,
            version=assignment.version,
            participant_ref=assignment.participant_ref,
            workshop_id=assignment.workshop_id,
            facility_id=assignment.facility_id,
            role=assignment.role,
            consented_on=assignment.consented_on,
            from_on=assignment.from_on,
            to_on=assignment.to_on,
            ended_because=assignment.ended_because,
        )


@router.post("", status_code=201)
async def assign(body: AssignmentIn, run: Run, response: Response) -> AssignmentBody:
    """Assign a participant to a workshop, while the latest TPP decision on work allows it."""
    command = partial(
        usecases.assign,
        AssignmentId(new_id()),
        body.participant_ref,
        WorkshopId(body.workshop_id),
        body.role,
        body.consented_on,
        body.from_on,
    )
    assignment = await run(command)
    dependencies.set_etag(response, assignment)
    return AssignmentBody.of(assignment)


@router.get("")
async def list_assignments(
    run: Run,
    workshop_id: str | None = None,
    cursor: str | None = None,
    limit: dependencies.Limit = 50,
) -> paging.PageBody[AssignmentBody]:
    """Return the assignments of the caller's Lapas; the read is audited."""
    page = await run(partial(usecases.list_assignments, workshop_id, cursor, limit))
    return paging.PageBody(
        items=[AssignmentBody.of(assignment) for assignment in page.items],
        next_cursor=page.next_cursor,
    )


@router.post("/{assignment_id}/end")
async def end_assignment(
    assignment_id: str, run: Run, version: dependencies.RequiredIfMatch, response: Response
) -> AssignmentBody:
    """End an assignment; today is its last day."""
    assignment = await run(partial(usecases.end, AssignmentId(assignment_id), version))
    dependencies.set_etag(response, assignment)
    return AssignmentBody.of(assignment)
