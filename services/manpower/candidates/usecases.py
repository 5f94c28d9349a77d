"""Use cases of candidates: record events, show candidates, save them with their dependents.

Not here: events that also change consents or applications (those nouns).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis.messaging.events import SubjectNotKnownYet
from services.manpower.candidates import rules
from services.manpower.candidates.custody import Movement
from services.manpower.candidates.rules import Attention, Candidate
from services.manpower.candidates.skills import Course, SourceOrder, WorkMonth, rename_skill
from services.manpower.feed.rules import ChangeType
from services.manpower.feed.usecases import record_change, record_moved_audiences
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import (
    Column,
    ConsentShare,
    Subject,
    all_audiences,
    current_audiences,
    is_outside,
    reader_of,
    visible_columns,
)


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A candidate as the caller may see it at a moment.

    `share` is the consent by which an outside reader sees it; None = the caller is an officer.
    """

    candidate: Candidate
    share: ConsentShare | None
    now: datetime
    name: str | None = None

    @property
    def covers_name(self) -> bool:
        """Whether a consent lets the caller see the name."""
        if self.share is None:
            return False
        return Column.NAME in visible_columns(self.share, Subject.CANDIDATE)


@dataclass(frozen=True, slots=True)
class CandidateViewPage:
    """One page of candidates; `next_cursor` is None on the last."""

    items: list[CandidateView]
    next_cursor: str | None


async def record_movement(movement: Movement, tx: Transaction) -> Candidate | None:
    """Record a movement; the first one about a person creates the candidate.

    Return the candidate if this movement ended the custody, otherwise None.
    """
    before = await tx.candidates.seek(movement.candidate_id)
    after = rules.record_movement(before, movement)
    if before is None:
        tx.candidates.add(after)
        return None
    saved = await save_candidate(before, after, tx)
    return saved if rules.has_custody_ended(before, saved) else None


async def request_attention(candidate_id: str, attention: Attention, tx: Transaction) -> None:
    """Ask an officer to settle a question about the candidate."""
    await apply_rule(
        candidate_id, lambda candidate: rules.request_attention(candidate, attention), tx
    )


async def plan_release(
    candidate_id: str, expected_on: date, kind: str, source_order: SourceOrder, tx: Transaction
) -> None:
    """Record the expected release; only its month is stored."""
    await apply_rule(
        candidate_id,
        lambda candidate: rules.plan_release(candidate, expected_on, kind, source_order),
        tx,
    )


async def record_course(candidate_id: str, course: Course, tx: Transaction) -> None:
    """Record a completed course."""
    await apply_rule(candidate_id, lambda candidate: rules.record_course(candidate, course), tx)


async def replace_certificate(
    candidate_id: str, certificate_id: str, replaced_by: str, tx: Transaction
) -> None:
    """Record that a certificate was issued again under another id; what it proves is the same."""
    await apply_rule(
        candidate_id,
        lambda candidate: replace(
            candidate, skills=rename_skill(candidate.skills, certificate_id, replaced_by)
        ),
        tx,
    )


async def record_work(candidate_id: str, entry: WorkMonth, tx: Transaction) -> None:
    """Record a month's total in a workshop."""
    await apply_rule(candidate_id, lambda candidate: rules.record_work(candidate, entry), tx)


async def apply_rule(
    candidate_id: str, rule: Callable[[Candidate], Candidate], tx: Transaction
) -> tuple[Candidate, Candidate]:
    """Apply the rule to the candidate and save it; return it as it was before and as saved.

    Raises SubjectNotKnownYet when the person was not admitted yet: the event waits.
    """
    before = await tx.candidates.seek(candidate_id)
    if before is None:
        raise SubjectNotKnownYet(candidate_id)
    return before, await save_candidate(before, rule(before), tx)


async def list_candidates(
    cursor: str | None, limit: int, tx: Transaction, *, has_attention: bool
) -> CandidateViewPage:
    """Return one page of the candidates that the caller may see, without names.

    `has_attention` selects those with a question for an officer; outside readers cannot select.
    """
    selects = has_attention and not is_outside(tx.caller)
    page = await tx.candidates.list_page(has_attention=selects, cursor=cursor, limit=limit)
    tx.note("candidates.listed", "", refs=[candidate.id for candidate in page.items])
    items = [_view(candidate, tx) for candidate in page.items]
    return CandidateViewPage(items, page.next_cursor)


async def find_candidate(candidate_id: str, tx: Transaction) -> CandidateView:
    """Return what the caller may see of a candidate, without name and without an audit row.

    `candidate_id` may be a reference that was merged. Raises CandidateUnknown.
    """
    return _view(await tx.candidates.get(await tx.resolve(candidate_id)), tx)


async def find_candidates(candidate_ids: Sequence[str], tx: Transaction) -> list[CandidateView]:
    """Return what the caller may see of these candidates, without names and audit rows.

    Ids that the caller may not see, or that nobody has, are left out.
    """
    resolved = [await tx.resolve(candidate_id) for candidate_id in candidate_ids]
    candidates = await tx.candidates.many(resolved)
    return [_view(candidate, tx) for candidate in candidates.values()]


async def show_candidates(
    candidate_ids: Sequence[str], names: Mapping[str, str], tx: Transaction
) -> CandidateViewPage:
    """Return what the caller may see of these candidates; each read is audited."""
    views = await find_candidates(candidate_ids, tx)
    return CandidateViewPage([disclose(view, names, tx) for view in views], None)


def disclose(view: CandidateView, names: Mapping[str, str], tx: Transaction) -> CandidateView:
    """Return the view with its name as far as the consent covers it; the read is audited.

    For an outside reader the audit row names the consent and the columns.
    """
    candidate = view.candidate
    share = view.share
    if share is None:
        tx.note("candidates.read", candidate.id)
        return view
    tx.note(
        "candidates.disclosed",
        candidate.id,
        purpose=share.purpose.value,
        recipient=share.recipient,
        consent=share.consent_id,
        fields=sorted(visible_columns(share, Subject.CANDIDATE)),
    )
    return replace(view, name=names.get(candidate.id) if view.covers_name else None)


async def show_candidate(candidate_id: str, name: str | None, tx: Transaction) -> CandidateView:
    """Return what the caller may see of a candidate; the read is audited.

    Raises CandidateUnknown.
    """
    view = await find_candidate(candidate_id, tx)
    names = {} if name is None else {view.candidate.id: name}
    return disclose(view, names, tx)


async def view_record(candidate: Candidate, tx: Transaction) -> CandidateView:
    """Return the record as officers see it."""
    return CandidateView(candidate, None, tx.now)


async def save_candidate(before: Candidate, after: Candidate, tx: Transaction) -> Candidate:
    """Save the candidate if it differs, with the changes of the feed and its dependents."""
    if after == before:
        return before
    saved = tx.candidates.save(before, after)
    record_moved_audiences(
        ChangeType.CANDIDATE_SHARED,
        Subject.CANDIDATE,
        saved.id,
        saved.version,
        before.outside_visibility,
        saved.outside_visibility,
        tx,
    )
    if rules.outside_view(before) != rules.outside_view(saved):
        former = all_audiences(before.outside_visibility)
        current = current_audiences(saved.outside_visibility, tx.now)
        record_change(
            ChangeType.CANDIDATE_CHANGED,
            Subject.CANDIDATE,
            saved.id,
            saved.version,
            current & former,
            tx,
        )
    if saved.engaged and saved.visibility != before.visibility:
        await update_dependents(saved, tx)
    return saved


async def update_dependents(candidate: Candidate, tx: Transaction) -> None:
    """Copy the candidate's visibility to its consents, applications and placements."""
    facility_id = candidate.visibility.facility_id
    for consent in await tx.consents.list_by_candidate(candidate.id):
        if consent.facility_id != facility_id:
            tx.consents.save(consent, replace(consent, facility_id=facility_id))
    for application in await tx.applications.list_by_candidates([candidate.id]):
        if application.visibility == candidate.visibility:
            continue
        after = replace(application, visibility=candidate.visibility)
        saved = tx.applications.save(application, after)
        record_moved_audiences(
            ChangeType.APPLICATION_CHANGED,
            Subject.APPLICATION,
            saved.id,
            saved.version,
            application.outside_visibility,
            saved.outside_visibility,
            tx,
        )
    for placement in await tx.placements.list_by_candidate(candidate.id):
        if placement.visibility == candidate.visibility:
            continue
        after = replace(placement, visibility=candidate.visibility)
        saved = tx.placements.save(placement, after)
        record_moved_audiences(
            ChangeType.PLACEMENT_CONFIRMED,
            Subject.PLACEMENT,
            saved.id,
            saved.version,
            placement.outside_visibility,
            saved.outside_visibility,
            tx,
        )


def _view(candidate: Candidate, tx: Transaction) -> CandidateView:
    if not is_outside(tx.caller):
        return CandidateView(candidate, None, tx.now)
    share = rules.require_share(candidate, reader_of(tx.caller), tx.now)
    return CandidateView(candidate, share, tx.now)
