"""What is allowed: decisions of the panel (pleno). The assessor recommends, only the panel decides (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.caller import Actor
from chassis.errors import NotFound, Refused
from services.certification.applications import rules as applications
from services.certification.applications.rules import Application, ApplicationState
from services.certification.lsps.rules import (
    KeyPurpose,
    Lsp,
    newest_key_name,
    reasons_against_certification,
)
from services.certification.reasons import Reason
from services.certification.schemes.rules import Scheme


class PanelDecisionUnknown(NotFound):
    title = "Keputusan pleno tidak ditemukan"


class DecidedOnInvalid(Refused):
    title = "Tanggal pleno tidak boleh di masa depan"
    field = "decided_on"


class MembersInvalid(Refused):
    title = "Setiap anggota pleno hanya boleh disebut satu kali"
    field = "members"


class ApplicationTwice(Refused):
    title = "Satu permohonan hanya boleh diputuskan satu kali dalam satu pleno"
    field = "decisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who sat on the panel; `assessor_id` when the member is an assessor of this LSP."""

    name: str
    assessor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelItem:
    """What was decided of one application, or why it could not be."""

    application_id: str
    competent: bool
    reasons: tuple[Reason, ...] = ()
    certificate_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelDecision:
    """One sitting of the panel with all that it decided."""

    id: str
    version: int = 0
    lsp_id: str
    minutes_no: str
    decided_on: date
    members: tuple[Member, ...]
    entered_by: str
    items: tuple[PanelItem, ...]


def check_sitting(
    members: tuple[Member, ...], application_ids: list[str], decided_on: date, today: date
) -> None:
    """That the sitting itself is in order."""
    if decided_on > today:
        raise DecidedOnInvalid
    if len({_fold_name(member.name) for member in members}) != len(members):
        raise MembersInvalid
    if len(set(application_ids)) != len(application_ids):
        raise ApplicationTwice


def reasons_against_decision(
    application: Application,
    scheme: Scheme | None,
    lsp: Lsp,
    members: tuple[Member, ...],
    *,
    competent: bool,
    decided_on: date,
    decider: Actor,
) -> list[Reason]:
    """Why the panel may not decide this; empty when it may. `decider` enters the decision."""
    assignment, recommendation = application.assignment, application.recommendation
    if application.state in {ApplicationState.COMPETENT, ApplicationState.NOT_YET_COMPETENT}:
        return [Reason.ALREADY_DECIDED]
    if (
        scheme is None
        or assignment is None
        or recommendation is None
        or decided_on < assignment.held_on
    ):
        return [Reason.NOT_RECOMMENDED_YET]
    found: list[Reason] = []
    involved = any(
        member.assessor_id == assignment.assessor_id
        or _fold_name(member.name) == _fold_name(assignment.assessor_name)
        for member in members
    )
    if involved or decider.conflicts_with(Actor(recommendation.by, recommendation.on_behalf_of)):
        found.append(Reason.PANEL_NOT_INDEPENDENT)
    if competent:
        found += applications.reasons_against_competence(application, scheme)
        found += reasons_against_certification(lsp, application.scheme_ref, decided_on)
        if application.name is None or application.name.confirmed_by is None:
            found.append(Reason.NAME_NOT_CONFIRMED)
        if (
            newest_key_name(lsp, KeyPurpose.KEY) is None
            or newest_key_name(lsp, KeyPurpose.STATUS) is None
        ):
            found.append(Reason.ISSUER_KEY_MISSING)
    return found


def _fold_name(name: str) -> str:
    return " ".join(name.casefold().split())
