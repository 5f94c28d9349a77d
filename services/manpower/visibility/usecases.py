"""What happens when a candidate changes: it is saved, its rows follow, and each reader is told what that reader may know."""

from __future__ import annotations

from dataclasses import replace

from services.manpower.applications import rules as applications
from services.manpower.candidates.rules import Candidate, outward
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import tell
from services.manpower.placements import rules as placements
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import audience_names, audiences


async def keep(before: Candidate, after: Candidate, tx: Transaction) -> Candidate:
    """Save the candidate if it differs, with all that must follow it."""
    if after == before:
        return before
    saved = tx.candidates.save(before, after)
    was, now = audience_names(before.visibility), audience_names(saved.visibility)
    told = {ChangeType.CANDIDATE_SHARED: now - was, ChangeType.CANDIDATE_WITHDRAWN: was - now}
    if outward(before) != outward(saved):
        told[ChangeType.CANDIDATE_CHANGED] = audiences(saved.visibility, tx.now) & was
    for change, those in told.items():
        tell(change, Subject.CANDIDATE, saved.id, saved.version, those, tx)
    if saved.engaged and saved.visibility != before.visibility:
        await follow(saved, tx)
    return saved


async def follow(candidate: Candidate, tx: Transaction) -> None:
    """Let every consent, application and placement of the candidate be seen by exactly those who see the candidate."""
    for consent in await tx.consents.all_of(candidate.id):
        if consent.facility_id != candidate.visibility.facility_id:
            tx.consents.save(
                consent, replace(consent, facility_id=candidate.visibility.facility_id)
            )
    for application in await tx.applications.all_of([candidate.id]):
        if application.visibility != candidate.visibility:
            moved = tx.applications.save(
                application, replace(application, visibility=candidate.visibility)
            )
            was, now = (
                audience_names(applications.seen_by(application)),
                audience_names(applications.seen_by(moved)),
            )
            tell(
                ChangeType.APPLICATION_CHANGED,
                Subject.APPLICATION,
                moved.id,
                moved.version,
                now - was,
                tx,
            )
            tell(
                ChangeType.APPLICATION_WITHDRAWN,
                Subject.APPLICATION,
                moved.id,
                moved.version,
                was - now,
                tx,
            )
    for placement in await tx.placements.all_of(candidate.id):
        if placement.visibility != candidate.visibility:
            kept = tx.placements.save(
                placement, replace(placement, visibility=candidate.visibility)
            )
            was, now = (
                audience_names(placements.seen_by(placement)),
                audience_names(placements.seen_by(kept)),
            )
            tell(
                ChangeType.PLACEMENT_CONFIRMED,
                Subject.PLACEMENT,
                kept.id,
                kept.version,
                now - was,
                tx,
            )
            tell(
                ChangeType.PLACEMENT_WITHDRAWN,
                Subject.PLACEMENT,
                kept.id,
                kept.version,
                was - now,
                tx,
            )
