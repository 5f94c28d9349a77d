"""What happens to candidates: what other services tell is taken in, officers add the regency, merges bring two records together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from chassis.messaging.events import SubjectNotKnownYet
from services.manpower.applications import usecases as applications
from services.manpower.applications.rules import WithdrawalReason, find_duplicates
from services.manpower.candidates import rules
from services.manpower.candidates.rules import (
    Attention,
    Candidate,
    CertificateContent,
    Course,
    Custody,
    Movement,
    SourceOrder,
    Standing,
    WorkMonth,
)
from services.manpower.consents import usecases as consents
from services.manpower.consents.rules import Ending
from services.manpower.feed.rules import ChangeType, Subject
from services.manpower.feed.usecases import record_change
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import all_audiences
from services.manpower.visibility.usecases import save_candidate


async def record_movement(movement: Movement, tx: Transaction) -> None:
    """A movement; the first about a person makes the candidate. After death or escape all consents end and all applications are withdrawn."""
    before = await tx.candidates.seek(movement.candidate_id)
    after = rules.record_movement(before, movement)
    if before is None:
        tx.candidates.add(after)
        return
    saved = await save_candidate(before, after, tx)
    if (
        saved.engaged
        and saved.stay.custody is Custody.ENDED
        and before.stay.custody is not Custody.ENDED
    ):
        await consents.end_all_consents(saved, Ending.PERSON_GONE, tx)
        await applications.withdraw_live(
            await tx.applications.list_by_candidates([saved.id]), WithdrawalReason.CANDIDATE, tx
        )


async def request_attention(candidate_id: str, attention: Attention, tx: Transaction) -> None:
    """A task for an officer about this candidate."""
    await apply_rule(
        candidate_id, lambda candidate: rules.request_attention(candidate, attention), tx
    )


async def plan_release(
    candidate_id: str, expected_on: date, kind: str, source_order: SourceOrder, tx: Transaction
) -> None:
    """The expected release; only its month is kept."""
    await apply_rule(
        candidate_id,
        lambda candidate: rules.plan_release(candidate, expected_on, kind, source_order),
        tx,
    )


async def record_course(candidate_id: str, course: Course, tx: Transaction) -> None:
    """A course was completed."""
    await apply_rule(candidate_id, lambda candidate: rules.record_course(candidate, course), tx)


async def record_work(candidate_id: str, entry: WorkMonth, tx: Transaction) -> None:
    """A month's total in a workshop."""
    await apply_rule(candidate_id, lambda candidate: rules.record_work(candidate, entry), tx)


async def record_certificate(
    candidate_id: str, certificate_id: str, content: CertificateContent, tx: Transaction
) -> None:
    """A certificate was issued."""
    await apply_rule(
        candidate_id,
        lambda candidate: rules.record_certificate(candidate, certificate_id, content),
        tx,
    )


async def record_standing(
    candidate_id: str,
    certificate_id: str,
    standing: Standing,
    source_order: SourceOrder,
    tx: Transaction,
) -> None:
    """A certificate was suspended, reinstated or revoked."""
    await apply_rule(
        candidate_id,
        lambda candidate: rules.record_standing(candidate, certificate_id, standing, source_order),
        tx,
    )


async def amend_candidate(
    candidate_id: str,
    regency_code: str | None,
    attended: frozenset[Attention],
    tx: Transaction,
    *,
    if_match: int,
) -> Candidate:
    """What an officer records: the regency on the KTP, and tasks that are done."""
    candidate = await tx.candidates.get(await tx.resolve(candidate_id), if_match=if_match)
    if regency_code is not None:
        candidate = await consents.record_residence(candidate, regency_code, tx)
    for what in attended:
        candidate = await save_candidate(candidate, rules.clear_attention(candidate, what), tx)
    return candidate


async def show_candidate(candidate_id: str, tx: Transaction) -> Candidate:
    """The candidate in the caller's scope, under any ref that was merged into it."""
    return await tx.candidates.get(await tx.resolve(candidate_id))


async def merge(from_ref: str, into_ref: str, tx: Transaction) -> None:
    """Everything of `from_ref` goes on under `into_ref`, whatever is known of either; told again it changes nothing."""
    into_ref = await tx.resolve(into_ref)
    if await tx.resolve(from_ref) == into_ref:
        return
    await tx.alias(from_ref, into_ref)
    gone = await tx.candidates.seek(from_ref)
    if gone is None:
        return
    into = await tx.candidates.seek(into_ref)
    papers = await tx.consents.list_by_candidate(from_ref) + await tx.consents.list_by_candidate(
        into_ref
    )
    survivor = await consents.end_superseded(rules.merge(into, gone, into_ref), papers, tx)
    cases = await tx.applications.list_by_candidates([from_ref, into_ref])
    await applications.withdraw_live(find_duplicates(cases), WithdrawalReason.MERGED, tx)
    await tx.flush()
    tx.candidates.remove(gone)
    record_change(
        ChangeType.CANDIDATE_WITHDRAWN,
        Subject.CANDIDATE,
        from_ref,
        gone.version + 1,
        all_audiences(gone.visibility),
        tx,
    )
    await _rekey(from_ref, survivor, tx)
    if into is not None:
        await save_candidate(into, survivor, tx)
        return
    added = tx.candidates.add(survivor)
    record_change(
        ChangeType.CANDIDATE_SHARED,
        Subject.CANDIDATE,
        added.id,
        added.version,
        all_audiences(added.visibility),
        tx,
    )


async def _rekey(from_ref: str, survivor: Candidate, tx: Transaction) -> None:
    for consent in await tx.consents.list_by_candidate(from_ref):
        tx.consents.save(
            consent,
            replace(consent, candidate_id=survivor.id, facility_id=survivor.visibility.facility_id),
        )
    for application in await tx.applications.list_by_candidates([from_ref]):
        applications.rekey_application(application, survivor, tx)
    for placement in await tx.placements.list_by_candidate(from_ref):
        tx.placements.save(
            placement, replace(placement, candidate_id=survivor.id, visibility=survivor.visibility)
        )


async def apply_rule(
    candidate_id: str, rule: Callable[[Candidate], Candidate], tx: Transaction
) -> None:
    before = await tx.candidates.seek(candidate_id)
    if before is None:
        raise SubjectNotKnownYet(candidate_id)
    saved = await save_candidate(before, rule(before), tx)
    if saved.engaged and saved.skills != before.skills:
        await applications.flag_lost_skills(saved, tx)
