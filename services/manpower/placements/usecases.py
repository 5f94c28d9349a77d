"""Use cases of placements, and the merge of two candidates with all that belongs to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chassis.ids import new_id
from services.manpower.applications import rules as application_rules
from services.manpower.applications import usecases as applications
from services.manpower.applications.rules import WithdrawalReason, find_duplicates
from services.manpower.applications.usecases import ApplicationView
from services.manpower.candidates import rules as candidate_rules
from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.rules import Candidate
from services.manpower.candidates.usecases import CandidateView
from services.manpower.consents import usecases as consents
from services.manpower.feed.rules import ChangeType
from services.manpower.feed.usecases import SnapshotPage, read_snapshot, record_change
from services.manpower.placements import rules
from services.manpower.placements.rules import (
    Placement,
    PlacementConfirmed,
    PlacementFacts,
    PlacementTerms,
)
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import (
    Column,
    Subject,
    all_audiences,
    columns_for,
    current_audiences,
)


@dataclass(frozen=True, slots=True)
class PlacementView:
    """A placement, and the columns of it that the caller sees."""

    placement: Placement
    columns: frozenset[Column]


@dataclass(frozen=True, slots=True)
class PlacementViewPage:
    """One page of placements; `next_cursor` is None on the last."""

    items: list[PlacementView]
    next_cursor: str | None


async def view_placement(placement: Placement, tx: Transaction) -> PlacementView:
    """Return what the caller may see of a placement."""
    visibility = placement.outside_visibility
    columns = columns_for(tx.caller, visibility, Subject.PLACEMENT, tx.now)
    return PlacementView(placement, columns)


@dataclass(frozen=True, slots=True)
class SnapshotContent:
    """A page of the snapshot, and what the reader sees of its rows."""

    page: SnapshotPage
    candidates: list[CandidateView]
    applications: list[ApplicationView]
    placements: list[PlacementView]


async def read_snapshot_content(
    cursor: str | None, limit: int, names: Mapping[str, str], tx: Transaction
) -> SnapshotContent:
    """Return a page of the snapshot with its content; each disclosure is audited.

    Raises FeedCursorInvalid.
    """
    page = await read_snapshot(cursor, limit, tx)
    refs = {
        subject: [row.ref for row in page.rows if row.subject is subject] for subject in Subject
    }
    found = await candidates.find_candidates(refs[Subject.CANDIDATE], tx)
    own_applications = await tx.applications.many(refs[Subject.APPLICATION])
    own_placements = await tx.placements.many(refs[Subject.PLACEMENT])
    return SnapshotContent(
        page=page,
        candidates=[candidates.disclose(view, names, tx) for view in found],
        applications=[
            await applications.view_application(application, tx)
            for application in own_applications.values()
        ],
        placements=[await view_placement(placement, tx) for placement in own_placements.values()],
    )


async def find_vacancy_id(application_id: str, tx: Transaction) -> str:
    """Return the vacancy of an application: a placement contends for its slots.

    Raises ApplicationUnknown.
    """
    return (await tx.applications.get(application_id)).vacancy_id


async def place_application(
    application_id: str, version: int | None, terms: PlacementTerms, tx: Transaction
) -> Placement:
    """Place an accepted application, take its slot and, with the last one, close the vacancy.

    Vacancy and slots are reached through the application, so their own scope does not apply.
    Raises ApplicationUnknown, VersionRequired, VersionDiffers, NotYourStep, and what
    `rules.place_application` raises.
    """
    known_version = rules.require_version(version)
    application = await tx.applications.get(application_id)
    application_rules.require_visible_steps(application, tx.caller, tx.now)
    candidate = await tx.candidates.get(application.candidate_id)
    vacancy = await tx.vacancies.get(application.vacancy_id, scoped=False)
    slots = await tx.vacancy_slots.get(vacancy.id)
    others = await tx.applications.list_live_by_vacancy(vacancy.id)
    facts = PlacementFacts(
        application=application,
        candidate=candidate,
        vacancy=vacancy,
        slots=slots,
        others=tuple(others),
    )
    outcome = rules.place_application(new_id(), facts, terms, tx.caller.subject, tx.now)
    # After the rule: the loser of the last slot gets that reason, not another version.
    await tx.applications.get(application_id, if_match=known_version)
    tx.vacancy_slots.save(slots, outcome.slots)
    if outcome.vacancy != vacancy:
        tx.vacancies.save(vacancy, outcome.vacancy)
    applications.save_with_feed_change(application, outcome.application, tx)
    for closed in outcome.closed_applications:
        applications.save_with_feed_change(closed.before, closed.after, tx)
    return await _add_placement(outcome.placement, outcome.events, candidate, tx)


async def place_by_own_effort(
    candidate_id: str, terms: PlacementTerms, tx: Transaction
) -> Placement:
    """Add a placement that the person found without an application here.

    Raises CandidateUnknown, and what `rules.place_by_own_effort` raises.
    """
    candidate = await tx.candidates.get(await tx.resolve(candidate_id))
    placement, events = rules.place_by_own_effort(
        new_id(), candidate, terms, tx.caller.subject, tx.now
    )
    return await _add_placement(placement, events, candidate, tx)


async def list_placements(
    candidate_id: str | None, cursor: str | None, limit: int, tx: Transaction
) -> PlacementViewPage:
    """Return one page of the placements that the caller may see; the read is audited."""
    if candidate_id is not None:
        candidate_id = await tx.resolve(candidate_id)
    page = await tx.placements.list_page(candidate_id, cursor, limit)
    tx.note("placements.listed", "", refs=[placement.candidate_id for placement in page.items])
    views = [await view_placement(placement, tx) for placement in page.items]
    return PlacementViewPage(views, page.next_cursor)


async def show_placement(placement_id: str, tx: Transaction) -> Placement:
    """Return one placement; the read is audited. Raises PlacementUnknown."""
    placement = await tx.placements.get(placement_id)
    tx.note("placements.read", placement.candidate_id)
    return placement


async def merge_candidates(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Move everything stored under `from_ref` to `into_ref`; neither needs to be known yet.

    The event arrives under both keys; the second one changes nothing.
    """
    into_ref = await tx.resolve(into_ref)
    if await tx.resolve(from_ref) == into_ref:
        return
    await tx.alias(from_ref, into_ref)
    merged = await tx.candidates.seek(from_ref)
    if merged is None:
        return
    into = await tx.candidates.seek(into_ref)
    survivor = await _end_duplicates(candidate_rules.merge(into, merged, into_ref), from_ref, tx)
    # The ended rows must leave the unique indexes before the others move to the survivor.
    await tx.flush()
    tx.candidates.remove(merged)
    record_change(
        ChangeType.CANDIDATE_WITHDRAWN,
        Subject.CANDIDATE,
        from_ref,
        merged.version + 1,
        all_audiences(merged.outside_visibility),
        tx,
    )
    await _move_dependents(from_ref, survivor, tx)
    if into is not None:
        await candidates.save_candidate(into, survivor, tx)
        return
    added = tx.candidates.add(survivor)
    record_change(
        ChangeType.CANDIDATE_SHARED,
        Subject.CANDIDATE,
        added.id,
        added.version,
        all_audiences(added.outside_visibility),
        tx,
    )


async def _add_placement(
    placement: Placement, events: list[PlacementConfirmed], candidate: Candidate, tx: Transaction
) -> Placement:
    if candidate.engaged:
        tx.candidates.hold(candidate)
    else:
        await candidates.save_candidate(candidate, candidate_rules.mark_engaged(candidate), tx)
    added = tx.placements.add(placement, events)
    record_change(
        ChangeType.PLACEMENT_CONFIRMED,
        Subject.PLACEMENT,
        added.id,
        added.version,
        current_audiences(added.outside_visibility, tx.now),
        tx,
    )
    return added


async def _end_duplicates(survivor: Candidate, from_ref: str, tx: Transaction) -> Candidate:
    """End the consents and withdraw the applications that the merge made superfluous."""
    own_consents = await tx.consents.list_by_candidate(from_ref)
    own_consents += await tx.consents.list_by_candidate(survivor.id)
    survivor = await consents.end_superseded(survivor, own_consents, tx)
    own_applications = await tx.applications.list_by_candidates([from_ref, survivor.id])
    duplicates = find_duplicates(own_applications)
    await applications.withdraw_live(duplicates, WithdrawalReason.MERGED, tx)
    return survivor


async def _move_dependents(from_ref: str, survivor: Candidate, tx: Transaction) -> None:
    facility_id = survivor.visibility.facility_id
    for consent in await tx.consents.list_by_candidate(from_ref):
        moved = replace(consent, candidate_id=survivor.id, facility_id=facility_id)
        tx.consents.save(consent, moved)
    for application in await tx.applications.list_by_candidates([from_ref]):
        applications.rekey_application(application, survivor, tx)
    for placement in await tx.placements.list_by_candidate(from_ref):
        _rekey_placement(placement, survivor, tx)


def _rekey_placement(placement: Placement, survivor: Candidate, tx: Transaction) -> None:
    """Move a placement to the surviving candidate; readers who lose it get a tombstone."""
    moved = replace(placement, candidate_id=survivor.id, visibility=survivor.visibility)
    saved = tx.placements.save(placement, moved)
    current = current_audiences(saved.outside_visibility, tx.now)
    lost = all_audiences(placement.outside_visibility) - all_audiences(saved.outside_visibility)
    for change, audiences in (
        (ChangeType.PLACEMENT_CONFIRMED, current),
        (ChangeType.PLACEMENT_WITHDRAWN, lost),
    ):
        record_change(change, Subject.PLACEMENT, saved.id, saved.version, audiences, tx)
