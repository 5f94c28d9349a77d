"""Routes of panel decisions."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from chassis.http.dependencies import set_etag
from chassis.moments import Day
from services.certification.panels import decision_process, usecases
from services.certification.panels.rules import (
    Member,
    PanelDecision,
    PanelItem,
    Sitting,
    Verdict,
)
from services.certification.reasons import describe
from services.certification.statuslists.pool import SlotPool
from services.certification.transaction import Run

router = APIRouter(tags=["Pleno"])


class MemberBody(BaseModel):
    """A member of the panel, with the assessor id where the member is an assessor of this LSP."""

    model_config = dependencies.STRICT
    name: Annotated[str, Field(min_length=1, max_length=120)]
    assessor_id: str | None = None


class DecisionBody(BaseModel):
    """The panel's finding on one application."""

    model_config = dependencies.STRICT
    application_id: str
    competent: bool


class NewPanelDecision(BaseModel):
    """One sitting to enter."""

    model_config = dependencies.STRICT
    lsp_id: str
    minutes_no: Annotated[
        str, Field(min_length=1, max_length=60, description="Nomor berita acara pleno")
    ]
    decided_on: Day
    members: Annotated[list[MemberBody], Field(min_length=1, max_length=20)]
    decisions: Annotated[list[DecisionBody], Field(min_length=1, max_length=500)]

    def to_sitting(self) -> Sitting:
        """Return the sitting."""
        return Sitting(
            lsp_id=self.lsp_id,
            minutes_no=self.minutes_no,
            decided_on=self.decided_on,
            members=tuple(
                Member(name=member.name, assessor_id=member.assessor_id) for member in self.members
            ),
            verdicts=tuple(
                Verdict(application_id=decision.application_id, competent=decision.competent)
                for decision in self.decisions
            ),
        )


class ReasonBody(BaseModel):
    """Why an application could not be decided."""

    code: str
    message: str


class ItemBody(BaseModel):
    """The decision on one application, or why it could not be decided."""

    application_id: str
    competent: bool
    reasons: list[ReasonBody]
    certificate_id: str | None

    @classmethod
    def of(cls, item: PanelItem) -> ItemBody:
        """Return the body of one item."""
        return cls(
            application_id=item.application_id,
            competent=item.competent,
            reasons=[ReasonBody(**reason) for reason in describe(item.reasons)],
            certificate_id=item.certificate_id,
        )


class PanelDecisionBody(BaseModel):
    """A sitting with everything that it decided."""

    panel_decision_id: str
    lsp_id: str
    minutes_no: str
    decided_on: date
    members: list[MemberBody]
    entered_by: str
    items: list[ItemBody]

    @classmethod
    def of(cls, decision: PanelDecision) -> PanelDecisionBody:
        """Return the body of a sitting."""
        return cls(
            panel_decision_id=decision.id,
            lsp_id=decision.lsp_id,
            minutes_no=decision.minutes_no,
            decided_on=decision.decided_on,
            members=[
                MemberBody(name=member.name, assessor_id=member.assessor_id)
                for member in decision.members
            ],
            entered_by=decision.entered_by,
            items=[ItemBody.of(item) for item in decision.items],
        )


def pool_of_slots(request: Request) -> SlotPool:
    """Return the slots of status lists that this process has leased."""
    return request.app.state.slot_pool


LeasedSlots = Annotated[SlotPool, Depends(pool_of_slots)]


@router.post("/v1/panel-decisions", status_code=201, summary="Catat keputusan pleno")
async def decide(
    body: NewPanelDecision, slot_pool: LeasedSlots, run: Run, response: Response
) -> PanelDecisionBody:
    """Enter the decisions of a panel; certificates are reserved at once and signed right after.

    Applications that a rule refuses are listed with its codes.
    """
    decision = await decision_process.decide(body.to_sitting(), slot_pool, run)
    set_etag(response, decision)
    return PanelDecisionBody.of(decision)


@router.get("/v1/panel-decisions", summary="Daftar keputusan pleno")
async def list_decisions(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[PanelDecisionBody]:
    """List the caller's panel decisions, latest first."""
    page = await run(partial(usecases.list_panel_decisions, cursor, limit))
    items = [PanelDecisionBody.of(decision) for decision in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/panel-decisions/{panel_decision_id}", summary="Lihat keputusan pleno")
async def show_decision(panel_decision_id: str, run: Run, response: Response) -> PanelDecisionBody:
    """Show one sitting."""
    decision = await run(partial(usecases.view_panel_decision, panel_decision_id))
    set_etag(response, decision)
    return PanelDecisionBody.of(decision)
