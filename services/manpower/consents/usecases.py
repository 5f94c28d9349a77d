"""Use cases of consents: give and end them, and changes of a candidate that end them.

When a consent ends, the access that it gave ends in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from chassis.ids import new_id
from chassis.persistence.store import Page
from chassis.persistence.transactions import Runner
from services.manpower.agencies import usecases as agencies
from services.manpower.applications import usecases as applications
from services.manpower.applications.rules import WithdrawalReason
from services.manpower.candidates import rules as candidate_rules
from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.custody import Custody, Movement, correct_custody
from services.manpower.candidates.rules import Attention, Candidate
from services.manpower.consents import rules
from services.manpower.consents.rules import Consent, Ending
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import Column, Purpose

EXPIRY_JOB = "consent-expiry"
_BATCH_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """A consent as an officer records it.

    Without a recipient the routing table names the office of the person's regency.
    """

    candidate_id: str
    purpose: Purpose
    recipient: str | None
    fields: frozenset[Column]
    text_version_hash: str
    given_at: datetime
    witness_ref: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyAnswer:
    """The custody of a person as an officer knows it."""

    custody: Custody
    kind: str
    effective_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What an officer records of a candidate; None = unchanged."""

    regency_code: str | None = None
    custody: CustodyAnswer | None = None
    attended: frozenset[Attention] = frozenset()


async def give_consent(form: ConsentForm, tx: Transaction) -> Consent:
    """Record a consent; its recipient sees the candidate from this commit on.

    Raises CandidateUnknown, RouteMissing, and what `rules.give` and `rules.find_route_key` raise.
    """
    candidate = await tx.candidates.get(await tx.resolve(form.candidate_id))
    recipient_id = form.recipient
    if recipient_id is None:
        regency_code, topic = rules.find_route_key(form.purpose, candidate)
        recipient_id = await agencies.find_responsible_agency_id(regency_code, topic, tx)
    recipient = rules.require_recipient(await tx.agencies.seek(recipient_id, scoped=False))
    tx.agencies.hold(recipient)
    requested = Consent(
        id=new_id(),
        candidate_id=candidate.id,
        facility_id=candidate.visibility.facility_id,
        purpose=form.purpose,
        recipient=recipient_id,
        fields=form.fields,
        text_version_hash=form.text_version_hash,
        given_at=form.given_at,
        witness_ref=form.witness_ref,
        expires_at=form.expires_at,
        recorded_by=tx.caller.subject,
    )
    consent = rules.give(requested, candidate, recipient, tx.now)
    expired = rules.find_equal_shares(candidate, consent)
    if expired:
        endings = {share.consent_id: Ending.EXPIRED for share in expired}
        candidate = await end_consents(candidate, endings, tx)
        # The unique index admits one live consent of a purpose and recipient.
        await tx.flush()
    added = tx.consents.add(consent)
    shared = candidate_rules.add_share(candidate, added.share)
    await candidates.save_candidate(candidate, shared, tx)
    return added


async def list_consents(
    candidate_id: str | None, cursor: str | None, limit: int, tx: Transaction
) -> Page[Consent]:
    """Return one page of the consents in the caller's scope; the read is audited."""
    if candidate_id is not None:
        candidate_id = await tx.resolve(candidate_id)
    page = await tx.consents.list_page(candidate_id, cursor, limit)
    refs = {consent.candidate_id for consent in page.items}
    tx.note("consents.listed", "", refs=sorted(refs))
    return page


async def show_consent(consent_id: str, tx: Transaction) -> Consent:
    """Return one consent; the read is audited. Raises ConsentUnknown."""
    consent = await tx.consents.get(consent_id)
    tx.note("consents.read", consent.id, person=consent.candidate_id)
    return consent


async def withdraw_consent(consent_id: str, version: int, tx: Transaction) -> Consent:
    """End a consent that the person withdraws.

    Raises ConsentUnknown, VersionDiffers, ConsentEnded.
    """
    consent = await tx.consents.get(consent_id, if_match=version)
    rules.require_live(consent)
    candidate = await tx.candidates.get(consent.candidate_id)
    await end_consents(candidate, {consent_id: Ending.WITHDRAWN}, tx)
    return await tx.consents.get(consent_id)


async def record_movement(movement: Movement, tx: Transaction) -> None:
    """Record a movement; after death or escape end all consents, withdraw all applications."""
    gone = await candidates.record_movement(movement, tx)
    if gone is None or not gone.engaged:
        return
    endings = {share.consent_id: Ending.PERSON_GONE for share in gone.visibility.shares}
    await end_consents(gone, endings, tx)
    live = await tx.applications.list_by_candidates([gone.id])
    await applications.withdraw_live(live, WithdrawalReason.CANDIDATE, tx)


async def amend_candidate(
    candidate_id: str, amendment: Amendment, version: int, tx: Transaction
) -> Candidate:
    """Record what an officer reports: the regency on the KTP, the custody, questions settled.

    Consents for offices that do not serve the new regency end. An answer about the custody settles
    the question about it.
    Raises CandidateUnknown, VersionDiffers, CustodyRefused.
    """
    candidate = await tx.candidates.get(await tx.resolve(candidate_id), if_match=version)
    attended = amendment.attended
    if amendment.regency_code is not None:
        candidate = await _record_residence(candidate, amendment.regency_code, tx)
    if amendment.custody is not None:
        answer = amendment.custody
        movement = correct_custody(
            candidate.id,
            candidate.visibility,
            answer.custody,
            answer.kind,
            answer.effective_on,
            tx.now,
        )
        await record_movement(movement, tx)
        candidate = await tx.candidates.get(candidate.id)
        attended |= {Attention.RELEASE_KIND_UNKNOWN}
    settled = candidate_rules.clear_attention(candidate, attended)
    return await candidates.save_candidate(candidate, settled, tx)


async def end_consents(
    candidate: Candidate, endings: Mapping[str, Ending], tx: Transaction
) -> Candidate:
    """End these consents of one candidate and withdraw the applications that rest on them."""
    if not endings:
        return candidate
    for consent in await tx.consents.list_live(endings):
        tx.consents.save(consent, rules.end(consent, endings[consent.id], tx.now))
    closed = candidate_rules.remove_shares(candidate, endings)
    saved = await candidates.save_candidate(candidate, closed, tx)
    await applications.withdraw_by_consents(saved.id, endings, WithdrawalReason.CONSENT_ENDED, tx)
    return saved


async def end_expired_consents(run: Runner[Transaction]) -> bool:
    """End consents that have expired, so that the feed reports it; True when more may wait.

    Reads do not depend on this job, because they check the expiry themselves.
    """
    return await run(_end_expired_batch)


async def end_superseded(
    candidate: Candidate, consents: Iterable[Consent], tx: Transaction
) -> Candidate:
    """End the consents that a merge superseded; return the unsaved candidate without them."""
    superseded = rules.find_superseded(consents)
    for consent in superseded:
        tx.consents.save(consent, rules.end(consent, Ending.MERGED, tx.now))
    return candidate_rules.remove_shares(candidate, [consent.id for consent in superseded])


async def _record_residence(candidate: Candidate, regency_code: str, tx: Transaction) -> Candidate:
    moved = candidate_rules.record_residence(candidate, regency_code)
    recipients = [share.recipient for share in moved.visibility.shares]
    offices = await tx.agencies.many(recipients, scoped=False)
    lost = rules.find_shares_outside_regency(moved, offices.values())
    kept = await end_consents(candidate, dict.fromkeys(lost, Ending.MOVED_AWAY), tx)
    return await candidates.save_candidate(
        kept, candidate_rules.record_residence(kept, regency_code), tx
    )


async def _end_expired_batch(tx: Transaction) -> bool:
    expired = await tx.consents.list_expired(tx.now, _BATCH_SIZE)
    for consent in expired:
        candidate = await tx.candidates.get(consent.candidate_id)
        await end_consents(candidate, {consent.id: Ending.EXPIRED}, tx)
    return len(expired) == _BATCH_SIZE
