"""What happens: work is found, through an application or alone; training's timeline hears of it."""

from __future__ import annotations

from chassis.ids import new_id
from services.manpower.applications.usecases import save_told
from services.manpower.candidates.rules import Candidate, engage
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import tell
from services.manpower.placements import rules
from services.manpower.placements.rules import Case, Placement, Terms
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import audiences
from services.manpower.visibility.usecases import keep


async def place(application_id: str, terms: Terms, tx: Transaction) -> Placement:
    """The accepted application placed, its slot taken and, with the last one, the vacancy and its other applications closed: one transaction.

    The vacancy and its slots are reached through the application, so their own scope does not apply.
    """
    application = await tx.applications.get(application_id)
    candidate = await tx.candidates.get(application.candidate_id)
    vacancy = await tx.vacancies.get(application.vacancy_id, scoped=False)
    slots = await tx.vacancy_slots.get(vacancy.id)
    others = await tx.applications.live_for(vacancy.id)
    case = Case(
        application=application,
        candidate=candidate,
        vacancy=vacancy,
        slots=slots,
        others=tuple(others),
    )
    filled = rules.place(new_id(), case, terms, tx.caller.subject, tx.now)
    tx.vacancy_slots.save(slots, filled.slots)
    if filled.vacancy != vacancy:
        tx.vacancies.save(vacancy, filled.vacancy)
    save_told(application, filled.application, tx)
    for before, after in filled.closed:
        save_told(before, after, tx)
    return await _confirm(filled.placement, filled.events, candidate, tx)


async def place_alone(candidate_id: str, terms: Terms, tx: Transaction) -> Placement:
    """Work that the person found without an application here."""
    candidate = await tx.candidates.get(await tx.resolve(candidate_id))
    placement, events = rules.found_alone(new_id(), candidate, terms, tx.caller.subject, tx.now)
    return await _confirm(placement, events, candidate, tx)


async def _confirm(
    placement: Placement,
    events: list[rules.PlacementConfirmed],
    candidate: Candidate,
    tx: Transaction,
) -> Placement:
    if candidate.engaged:
        tx.candidates.hold(candidate)
    else:
        await keep(candidate, engage(candidate), tx)
    saved = tx.placements.add(placement, events)
    tell(
        ChangeType.PLACEMENT_CONFIRMED,
        Subject.PLACEMENT,
        saved.id,
        saved.version,
        audiences(rules.seen_by(saved), tx.now),
        tx,
    )
    return saved
