"""Routes that show decisions of the TPP, and the bodies of decisions.

Not here: recording and approving, which also decide applications (applications).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.ids import new_id
from chassis.moments import Day
from services.training.tpp import usecases
from services.training.tpp.rules import Decision, DecisionResult, DecisionScope, Verdict
from services.training.transaction import Run

router = APIRouter(tags=["Sidang TPP"])
Ref = Annotated[str, Field(min_length=1, max_length=64)]


class ResultBody(BaseModel):
    """The verdict on one person; a reason unless it is RECOMMENDED."""

    model_config = dependencies.STRICT
    participant_ref: Ref
    verdict: Verdict
    reason: Annotated[str, Field(max_length=500)] = ""


class NewDecision(BaseModel):
    """The decision of one hearing on a programme, a branch, a class, or on work."""

    model_config = dependencies.STRICT
    facility_id: Ref
    hearing_on: Day
    scope: DecisionScope
    scope_ref: Annotated[str, Field(max_length=64)] = ""
    results: Annotated[list[ResultBody], Field(min_length=1, max_length=200)]
    valid_until: Day | None = None
    document_ref: Annotated[str, Field(min_length=1, max_length=100)]

    def to_decision(self) -> Decision:
        """Return the decision that this body describes; the use case says who records it."""
        return Decision(
            id=new_id(),
            facility_id=self.facility_id,
            hearing_on=self.hearing_on,
            scope=self.scope,
            scope_ref="" if self.scope is DecisionScope.WORK else self.scope_ref,
            results=tuple(
                DecisionResult(
                    participant_ref=result.participant_ref,
                    verdict=result.verdict,
                    reason=result.reason,
                )
                for result in self.results
            ),
            valid_until=self.valid_until,
            document_ref=self.document_ref,
            recorded_by="",
            head_needed=False,
        )


class DecisionBody(BaseModel):
    """A decision, whether it is in force, and to whom it could not be applied."""

    decision_id: str
    version: int
    facility_id: str
    hearing_on: date
    scope: DecisionScope
    scope_ref: str
    results: list[ResultBody]
    valid_until: date | None
    document_ref: str
    in_force: bool
    head_approved_at: datetime | None
    not_applied: list[str]

    @classmethod
    def of(cls, decision: Decision) -> DecisionBody:
        """Return the body of a decision."""
        return cls(
            decision_id=decision.id,
            version=decision.version,
            facility_id=decision.facility_id,
            hearing_on=decision.hearing_on,
            scope=decision.scope,
            scope_ref=decision.scope_ref,
            results=[
                ResultBody(
                    participant_ref=result.participant_ref,
                    verdict=result.verdict,
                    reason=result.reason,
                )
                for result in decision.results
            ],
            valid_until=decision.valid_until,
            document_ref=decision.document_ref,
            in_force=decision.is_in_force,
            head_approved_at=decision.head_approved_at,
            not_applied=list(decision.not_applied),
        )


@router.get("/v1/tpp-decisions", summary="Daftar keputusan sidang TPP")
async def list_decisions(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[DecisionBody]:
    """List the decisions in the caller's scope, the latest hearing first."""
    page = await run(partial(usecases.list_decisions, cursor, limit))
    items = [DecisionBody.of(decision) for decision in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/tpp-decisions/{decision_id}", summary="Lihat keputusan sidang TPP")
async def show_decision(decision_id: str, run: Run, response: Response) -> DecisionBody:
    """Show one decision."""
    decision = await run(partial(usecases.read_decision, decision_id))
    dependencies.set_etag(response, decision)
    return DecisionBody.of(decision)
