"""What happens when a candidate changes: it is saved, its rows follow, and each reader is told what that reader may know."""

from __future__ import annotations

from dataclasses import replace

from services.manpower.applications import rules as applications
from services.manpower.candidates.rules import Candidate, outside_view
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import record_change
from services.manpower.placements import rules as placements
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import all_audiences, current_audiences


async def save_candidate(before: Candidate, after: Candidate, tx: Transaction) -> Candidate:
    """Save the candidate if it differs, with all that must follow it."""
    if after == before:
        return before
    saved = tx.candidates.save(before, after)
    was, now = all_audiences(before.visibility), all_audiences(saved.visibility)
    told = {ChangeType.CANDIDATE_SHARED: now - was, ChangeType.CANDIDATE_WITHDRAWN: was - now}
    if outside_view(before) != outside_view(saved):
        told[ChangeType.CANDIDATE_CHANGED] = current_audiences(saved.visibility, tx.now) & was
    for change, those in told.items():
        record_change(change, Subject.CANDIDATE, saved.id, saved.version, those, tx)
    if saved.engaged and saved.visibility != before.visibility:
        await update_dependents(saved, tx)
    return saved


async def update_dependents(candidate: Candidate, tx: Transaction) -> None:
    """Let every consent, application and placement of the candidate be seen by exactly those who see the candidate."""
    for consent in await tx.consents.list_by_candidate(candidate.id):
        if consent.facility_id != candidate.visibility.facility_id:
            tx.consents.save(
                consent, replace(consent, facility_id=candidate.visibility.facility_id)
            )
    for application in await tx.applications.list_by_candidates([candidate.id]):
        if application.visibility != candidate.visibility:
            moved = tx.applications.save(
                application, replace(application, visibility=candidate.visibility)
            )
            was, now = (
                all_audiences(applications.outside_visibility(application)),
                all_audiences(applications.outside_visibility(moved)),
            )
            record_change(
                ChangeType.APPLICATION_CHANGED,
                Subject.APPLICATION,
                moved.id,
                moved.version,
                now - was,
                tx,
            )
            record_change(
                ChangeType.APPLICATION_WITHDRAWN,
                Subject.APPLICATION,
                moved.id,
                moved.version,
                was - now,
                tx,
            )
    for placement in await tx.placements.list_by_candidate(candidate.id):
        if placement.visibility != candidate.visibility:
            kept = tx.placements.save(
                placement, replace(placement, visibility=candidate.visibility)
            )
            was, now = (
                all_audiences(placements.outside_visibility(placement)),
                all_audiences(placements.outside_visibility(kept)),
            )
            record_change(
                ChangeType.PLACEMENT_CONFIRMED,
                Subject.PLACEMENT,
                kept.id,
                kept.version,
                now - was,
                tx,
            )
            record_change(
                ChangeType.PLACEMENT_WITHDRAWN,
                Subject.PLACEMENT,
                kept.id,
                kept.version,
                was - now,
                tx,
            )
