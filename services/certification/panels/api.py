"""How panel decisions are entered and asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from chassis.http import dependencies, paging
from services.certification.lsps import usecases as lsps
from services.certification.panels import usecases
from services.certification.panels.rules import Member, PanelDecision, PanelItem
from services.certification.statuslists.pool import SlotPool
from services.certification.transaction import Run

router = APIRouter(tags=["Pleno"])


class MemberBody(BaseModel):
    """Who sat on the panel; name the assessor's id where the member is an assessor of this LSP."""

    model_config = dependencies.STRICT
    name: Annotated[str, Field(min_length=1, max_length=120)]
    assessor_id: str | None = None


class DecisionBody(BaseModel):
    """What the panel found of one application."""

    model_config = dependencies.STRICT
    application_id: str
    competent: bool


class NewPanelDecision(BaseModel):
    """One sitting."""

    model_config = dependencies.STRICT
    lsp_id: str
    minutes_no: Annotated[
        str, Field(min_length=1, max_length=60, description="Nomor berita acara pleno")
    ]
    decided_on: date
    members: Annotated[list[MemberBody], Field(min_length=1, max_length=20)]
    decisions: Annotated[list[DecisionBody], Field(min_length=1, max_length=500)]


class ReasonBody(BaseModel):
    """Why an application could not be decided."""

    code: str
    message: str


class ItemBody(BaseModel):
    """What was decided of one application, or why it could not be."""

    application_id: str
    competent: bool
    reasons: list[ReasonBody]
    certificate_id: str | None

    @classmethod
    def of(cls, item: PanelItem) -> ItemBody:
        """The body of one item."""
        return cls(
            application_id=item.application_id,
            competent=item.competent,
            reasons=[ReasonBody(code=reason.name, message=reason.value) for reason in item.reasons],
            certificate_id=item.certificate_id,
        )


class PanelDecisionBody(BaseModel):
    """A sitting with all that it decided."""

    panel_decision_id: str
    lsp_id: str
    minutes_no: str
    decided_on: date
    members: list[MemberBody]
    entered_by: str
    items: list[ItemBody]

    @classmethod
    def of(cls, decision: PanelDecision) -> PanelDecisionBody:
        """The body of a sitting."""
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


@router.post("/v1/panel-decisions", status_code=201, summary="Catat keputusan pleno")
async def decide(body: NewPanelDecision, request: Request, run: Run) -> PanelDecisionBody:
    """The panel decides; certificates are reserved at once and signed right after. Applications that a rule is against are listed with its codes."""
    pool: SlotPool = request.app.state.places
    beforehand = replace(run, key=None)
    await beforehand(partial(lsps.lsp, body.lsp_id))
    places = await pool.take(beforehand, body.lsp_id, sum(one.competent for one in body.decisions))
    members = tuple(Member(name=one.name, assessor_id=one.assessor_id) for one in body.members)
    wanted = [(one.application_id, one.competent) for one in body.decisions]
    work = partial(
        usecases.decide, body.lsp_id, body.minutes_no, body.decided_on, members, wanted, places
    )
    return PanelDecisionBody.of(await run(work, contended=[f"panel/{body.lsp_id}"]))


@router.get("/v1/panel-decisions", summary="Daftar keputusan pleno")
async def list_decisions(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[PanelDecisionBody]:
    """The caller's panel decisions, latest first."""
    page = await run(partial(usecases.panel_decisions, cursor, limit))
    return paging.PageBody(
        items=[PanelDecisionBody.of(item) for item in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/panel-decisions/{panel_decision_id}", summary="Lihat keputusan pleno")
async def show_decision(panel_decision_id: str, run: Run) -> PanelDecisionBody:
    """One sitting."""
    return PanelDecisionBody.of(await run(partial(usecases.panel_decision, panel_decision_id)))
