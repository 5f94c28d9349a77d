"""Use cases of panel decisions; certificates are reserved for those found competent.

Not here: the lease of slots before a decision (decision_process).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.applications import rules as applications
from services.certification.applications.rules import Application
from services.certification.certificates import rules as certificates
from services.certification.certificates.usecases import SIGN_JOB, new_identifiers
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.lsps.rules import Lsp
from services.certification.panels import rules
from services.certification.panels.rules import PanelDecision, PanelItem, Sitting
from services.certification.schemes.rules import Scheme
from services.certification.statuslists.rules import StatusListSlots
from services.certification.transaction import Transaction


async def decide(
    sitting: Sitting, slots: Sequence[StatusListSlots], tx: Transaction
) -> PanelDecision:
    """Enter one sitting and reserve a certificate for each application found competent.

    An application that a rule refuses is reported with its reasons and does not stop the others.
    `slots` are at least as many as verdicts of competence. Raises RulesBroken when nothing can be
    decided.
    """
    lsp = await tx.lsps.get(sitting.lsp_id)
    rules.check_sitting(sitting, tx.now.astimezone(WESTERN_INDONESIA).date())
    known = await tx.applications.many(verdict.application_id for verdict in sitting.verdicts)
    scheme_ids = [application.scheme_id for application in known.values()]
    schemes = await tx.schemes.many(scheme_id for scheme_id in scheme_ids if scheme_id)
    items = rules.judge(sitting, known, schemes, lsp, tx.caller.actor)

    decision_id = new_id()
    free_slots = list(slots)
    decided: list[PanelItem] = []
    for item in items:
        if item.reasons:
            decided.append(item)
            continue
        application = known[item.application_id]
        after = applications.decide(application, decision_id, competent=item.competent)
        tx.applications.save(application, after)
        certificate_id = None
        if item.competent:
            scheme = schemes[application.scheme_id or ""]
            slot = free_slots.pop()
            certificate_id = _reserve(sitting, decision_id, application, scheme, lsp, slot, tx)
        decided.append(replace(item, certificate_id=certificate_id))
    tx.lsps.hold(lsp)
    tx.wake(SIGN_JOB)
    return tx.panel_decisions.add(
        PanelDecision(
            id=decision_id,
            lsp_id=lsp.id,
            minutes_no=sitting.minutes_no,
            decided_on=sitting.decided_on,
            members=sitting.members,
            entered_by=tx.caller.subject,
            items=tuple(decided),
        )
    )


async def view_panel_decision(panel_decision_id: str, tx: Transaction) -> PanelDecision:
    """Return one of the caller's panel decisions."""
    return await tx.panel_decisions.get(panel_decision_id)


async def list_panel_decisions(
    cursor: str | None, limit: int, tx: Transaction
) -> Page[PanelDecision]:
    """Return a page of the caller's panel decisions, latest first."""
    return await tx.panel_decisions.list_page(cursor, limit)


def _reserve(
    sitting: Sitting,
    decision_id: str,
    application: Application,
    scheme: Scheme,
    lsp: Lsp,
    slots: StatusListSlots,
    tx: Transaction,
) -> str:
    """Reserve a certificate; return its id."""
    reserved = certificates.reserve(
        new_identifiers(),
        slots,
        application,
        scheme,
        lsp,
        panel_decision_id=decision_id,
        decided_on=sitting.decided_on,
    )
    return tx.certificates.add(reserved).id
