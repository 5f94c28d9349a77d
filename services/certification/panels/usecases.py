"""What happens: the panel decides; certificates are reserved for those found competent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chassis.ids import new_id
from chassis.persistence.store import Page
from services.certification.applications import rules as applications
from services.certification.certificates import rules as certificates
from services.certification.certificates.rules import StatusListSlots
from services.certification.certificates.usecases import new_identifiers
from services.certification.panels import rules
from services.certification.panels.rules import Member, PanelDecision, PanelItem
from services.certification.reasons import Reason, RulesBroken
from services.certification.transaction import Transaction


async def decide(
    lsp_id: str,
    minutes_no: str,
    decided_on: date,
    members: tuple[Member, ...],
    wanted: Sequence[tuple[str, bool]],
    places: Sequence[StatusListSlots],
    tx: Transaction,
) -> PanelDecision:
    """One sitting. An application that a rule is against is reported with its codes and does not stop the others; RulesBroken when none is left.

    `places` are as many places in the LSP's status lists as there are applications to be found competent.
    """
    lsp = await tx.lsps.get(lsp_id)
    ids = [application_id for application_id, _ in wanted]
    rules.check_sitting(
        members, ids, decided_on, tx.now.astimezone(certificates.WESTERN_INDONESIA).date()
    )
    known = await tx.applications.many(ids)
    schemes = await tx.schemes.many(one.scheme_id for one in known.values() if one.scheme_id)
    decision_id, free, items = new_id(), list(places), list[PanelItem]()
    for application_id, competent in wanted:
        before = known.get(application_id)
        if before is None or before.lsp_id != lsp_id:
            items.append(
                PanelItem(
                    application_id=application_id,
                    competent=competent,
                    reasons=(Reason.APPLICATION_UNKNOWN,),
                )
            )
            continue
        scheme = schemes.get(before.scheme_id or "")
        reasons = rules.reasons_against_decision(
            before,
            scheme,
            lsp,
            members,
            competent=competent,
            decided_on=decided_on,
            decider=tx.caller.actor,
        )
        certificate_id = None
        if not reasons:
            tx.applications.save(
                before, applications.decide(before, decision_id, competent=competent)
            )
        if not reasons and competent and scheme is not None:
            reserved = certificates.reserve(
                new_identifiers(),
                free.pop(),
                before,
                scheme,
                lsp,
                panel_decision_id=decision_id,
                decided_on=decided_on,
            )
            certificate_id = tx.certificates.add(reserved).id
        items.append(
            PanelItem(
                application_id=application_id,
                competent=competent,
                reasons=tuple(reasons),
                certificate_id=certificate_id,
            )
        )
    if all(item.reasons for item in items):
        raise RulesBroken(reason for item in items for reason in item.reasons)
    tx.lsps.hold(lsp)
    tx.wake("sign-certificates")
    return tx.panel_decisions.add(
        PanelDecision(
            id=decision_id,
            lsp_id=lsp_id,
            minutes_no=minutes_no,
            decided_on=decided_on,
            members=members,
            entered_by=tx.caller.subject,
            items=tuple(items),
        )
    )


async def panel_decision(panel_decision_id: str, tx: Transaction) -> PanelDecision:
    """One of the caller's panel decisions."""
    return await tx.panel_decisions.get(panel_decision_id)


async def panel_decisions(cursor: str | None, limit: int, tx: Transaction) -> Page[PanelDecision]:
    """The caller's panel decisions, latest first."""
    return await tx.panel_decisions.list_page(cursor, limit)
