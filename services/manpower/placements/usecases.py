"""What happens: work is found, through an application or alone; training's timeline hears of it."""

from __future__ import annotations

from chassis.ids import new_id
from services.manpower.applications.usecases import save_with_feed_change
from services.manpower.candidates.rules import Candidate, mark_engaged
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import record_change
from services.manpower.placements import rules
from services.manpower.placements.rules import Placement, PlacementFacts, PlacementTerms
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import current_audiences
from services.manpower.visibility.usecases import save_candidate


async def place_application(
    application_id: str, terms: PlacementTerms, tx: Transaction
) -> Placement:
    """The accepted application placed, its slot taken and, with the last one, the vacancy and its other applications closed: one transaction.

    The vacancy and its slots are reached through the application, so their own scope does not apply.
    """
    application = await tx.applications.get(application_id)
    candidate = await tx.candidates.get(application.candidate_id)
    vacancy = await tx.vacancies.get(application.vacancy_id, scoped=False)
    slots = await tx.vacancy_slots.get(vacancy.id)
    others = await tx.applications.list_live_by_vacancy(vacancy.id)
    case = PlacementFacts(
        application=application,
        candidate=candidate,
        vacancy=vacancy,
        slots=slots,
        others=tuple(others),
    )
    filled = rules.place_application(new_id(), case, terms, tx.caller.subject, tx.now)
    tx.vacancy_slots.save(slots, filled.slots)
    if filled.vacancy != vacancy:
        tx.vacancies.save(vacancy, filled.vacancy)
    save_with_feed_change(application, filled.application, tx)
    for before, after in filled.closed_applications:
        save_with_feed_change(before, after, tx)
    return await _save_placement(filled.placement, filled.events, candidate, tx)


async def place_by_own_effort(
    candidate_id: str, terms: PlacementTerms, tx: Transaction
) -> Placement:
    """Work that the person found without an application here."""
    candidate = await tx.candidates.get(await tx.resolve(candidate_id))
    placement, events = rules.place_by_own_effort(
        new_id(), candidate, terms, tx.caller.subject, tx.now
    )
    return await _save_placement(placement, events, candidate, tx)


async def _save_placement(
    placement: Placement,
    events: list[rules.PlacementConfirmed],
    candidate: Candidate,
    tx: Transaction,
) -> Placement:
    if candidate.engaged:
        tx.candidates.hold(candidate)
    else:
        await save_candidate(candidate, mark_engaged(candidate), tx)
    saved = tx.placements.add(placement, events)
    record_change(
        ChangeType.PLACEMENT_CONFIRMED,
        Subject.PLACEMENT,
        saved.id,
        saved.version,
        current_audiences(rules.outside_visibility(saved), tx.now),
        tx,
    )
    return saved
