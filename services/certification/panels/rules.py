"""Rules of panel decisions (pleno): the assessor recommends, only the panel decides.

Source: certification section 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.caller import Actor
from chassis.errors import NotFound, Refused
from services.certification.applications import rules as applications
from services.certification.applications.rules import (
    Application,
    ApplicationState,
    Assignment,
    Recommendation,
)
from services.certification.lsps.rules import (
    KeyPurpose,
    Lsp,
    newest_key_name,
    reasons_against_certification,
)
from services.certification.reasons import Reason, RulesBroken
from services.certification.schemes.rules import Scheme
from services.certification.settings import TEXTS


class PanelDecisionUnknown(NotFound):
    title = TEXTS["errors.panel_decision_unknown"]


class DecidedOnInvalid(Refused):
    title = TEXTS["errors.decided_on_invalid"]
    field = "decided_on"


class MembersInvalid(Refused):
    title = TEXTS["errors.members_invalid"]
    field = "members"


class ApplicationTwice(Refused):
    title = TEXTS["errors.application_twice"]
    field = "decisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of the panel; `assessor_id` when the member is an assessor of this LSP."""

    name: str
    assessor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The panel's finding on one application."""

    application_id: str
    competent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """One sitting of the panel as it is entered."""

    lsp_id: str
    minutes_no: str
    decided_on: date
    members: tuple[Member, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelItem:
    """The decision on one application, or why it could not be decided."""

    application_id: str
    competent: bool
    reasons: tuple[Reason, ...] = ()
    certificate_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelDecision:
    """One sitting of the panel with everything that it decided."""

    id: str
    version: int = 0
    lsp_id: str
    minutes_no: str
    decided_on: date
    members: tuple[Member, ...]
    entered_by: str
    items: tuple[PanelItem, ...]


def check_sitting(sitting: Sitting, today: date) -> None:
    """Check the sitting itself. Raises DecidedOnInvalid, MembersInvalid, ApplicationTwice."""
    if sitting.decided_on > today:
        raise DecidedOnInvalid
    names = {_fold_name(member.name) for member in sitting.members}
    if len(names) != len(sitting.members):
        raise MembersInvalid
    application_ids = {verdict.application_id for verdict in sitting.verdicts}
    if len(application_ids) != len(sitting.verdicts):
        raise ApplicationTwice


def judge(
    sitting: Sitting,
    known_applications: Mapping[str, Application],
    schemes: Mapping[str, Scheme],
    lsp: Lsp,
    decider: Actor,
) -> list[PanelItem]:
    """Return one item per verdict, with the reasons against it.

    `decider` enters the decision. Raises RulesBroken when no verdict can be decided.
    """
    items: list[PanelItem] = []
    for verdict in sitting.verdicts:
        application = known_applications.get(verdict.application_id)
        reasons = [Reason.APPLICATION_UNKNOWN]
        if application is not None and application.lsp_id == lsp.id:
            scheme = schemes.get(application.scheme_id or "")
            reasons = reasons_against_decision(
                application,
                scheme,
                lsp,
                sitting.members,
                competent=verdict.competent,
                decided_on=sitting.decided_on,
                decider=decider,
            )
        items.append(
            PanelItem(
                application_id=verdict.application_id,
                competent=verdict.competent,
                reasons=tuple(reasons),
            )
        )
    _require_any_decided(items)
    return items


def reasons_against_decision(
    application: Application,
    scheme: Scheme | None,
    lsp: Lsp,
    members: Sequence[Member],
    *,
    competent: bool,
    decided_on: date,
    decider: Actor,
) -> list[Reason]:
    """Return why the panel may not decide this; empty means allowed.

    `decider` enters the decision.
    """
    assignment = application.assignment
    recommendation = application.recommendation
    if application.state in {ApplicationState.COMPETENT, ApplicationState.NOT_YET_COMPETENT}:
        return [Reason.ALREADY_DECIDED]
    if scheme is None or assignment is None or recommendation is None:
        return [Reason.NOT_RECOMMENDED_YET]
    if decided_on < assignment.held_on:
        return [Reason.NOT_RECOMMENDED_YET]
    reasons: list[Reason] = []
    if not _is_independent(members, decider, assignment, recommendation):
        reasons.append(Reason.PANEL_NOT_INDEPENDENT)
    if competent:
        reasons += _reasons_against_certificate(application, scheme, lsp, decided_on)
    return reasons


def _is_independent(
    members: Sequence[Member],
    decider: Actor,
    assignment: Assignment,
    recommendation: Recommendation,
) -> bool:
    """Return whether neither a member nor the decider took part in the assessment.

    Members are compared with the assessor by assessor id and by name.
    """
    assessor_name = _fold_name(assignment.assessor_name)
    for member in members:
        if member.assessor_id == assignment.assessor_id:
            return False
        if _fold_name(member.name) == assessor_name:
            return False
    recommender = Actor(recommendation.by, recommendation.on_behalf_of)
    return not decider.conflicts_with(recommender)


def _reasons_against_certificate(
    application: Application, scheme: Scheme, lsp: Lsp, decided_on: date
) -> list[Reason]:
    reasons = applications.reasons_against_competence(application, scheme)
    reasons += reasons_against_certification(lsp, application.scheme_ref, decided_on)
    if application.name is None or application.name.confirmed_by is None:
        reasons.append(Reason.NAME_NOT_CONFIRMED)
    keys = [newest_key_name(lsp, purpose) for purpose in KeyPurpose]
    if None in keys:
        reasons.append(Reason.ISSUER_KEY_MISSING)
    return reasons


def _require_any_decided(items: Sequence[PanelItem]) -> None:
    if not all(item.reasons for item in items):
        return
    reasons = [reason for item in items for reason in item.reasons]
    raise RulesBroken(reasons)


def _fold_name(name: str) -> str:
    return " ".join(name.casefold().split())
