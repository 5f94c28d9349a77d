"""What happens: consents are given and end; with one ends at once all that it opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.ids import new_id
from chassis.persistence.transactions import Runner
from services.manpower.agencies import usecases as agencies
from services.manpower.applications import usecases as applications
from services.manpower.applications.rules import WithdrawalReason
from services.manpower.candidates import rules as candidates
from services.manpower.candidates.rules import Candidate
from services.manpower.consents import rules
from services.manpower.consents.rules import Consent, ConsentEnded, Ending, RecipientRefused
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import Column, Purpose
from services.manpower.visibility.usecases import save_candidate

EXPIRY_JOB = "consent-expiry"
_BATCH_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """A consent as an officer records it. Without a recipient the routing table names the office of the person's regency."""

    candidate_id: str
    purpose: Purpose
    recipient: str | None
    fields: frozenset[Column]
    text_version_hash: str
    given_at: datetime
    witness_ref: str
    expires_at: datetime


async def give_consent(form: ConsentForm, tx: Transaction) -> Consent:
    """The consent recorded, and the candidate open to its recipient from this commit on."""
    candidate = await tx.candidates.get(await tx.resolve(form.candidate_id))
    recipient_id = form.recipient or await agencies.find_responsible_agency_id(
        *rules.find_route_key(form.purpose, candidate), tx
    )
    recipient = await tx.agencies.seek(recipient_id, scoped=False)
    if recipient is None:
        raise RecipientRefused
    tx.agencies.hold(recipient)
    consent = Consent(
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
    consent = rules.give(consent, candidate, recipient, tx.now)
    run_out = [
        share.consent_id
        for share in candidate.visibility.shares
        if (share.recipient, share.purpose) == (consent.recipient, consent.purpose)
    ]
    if run_out:
        candidate = await end_consents(candidate, dict.fromkeys(run_out, Ending.EXPIRED), tx)
        await tx.flush()
    given = tx.consents.add(consent)
    await save_candidate(candidate, candidates.add_share(candidate, given.share), tx)
    return given


async def withdraw_consent(consent_id: str, tx: Transaction) -> Consent:
    """The consent ended by the person's will; ConsentEnded when it was over before."""
    consent = await tx.consents.get(consent_id)
    if not consent.live:
        raise ConsentEnded
    candidate = await tx.candidates.get(consent.candidate_id)
    await end_consents(candidate, {consent_id: Ending.WITHDRAWN}, tx)
    return await tx.consents.get(consent_id)


async def end_consents(
    candidate: Candidate, endings: Mapping[str, Ending], tx: Transaction
) -> Candidate:
    """These consents of one candidate ended, what they opened closed, and the applications that stood on them withdrawn."""
    if not endings:
        return candidate
    for consent in await tx.consents.list_live(endings):
        tx.consents.save(consent, rules.end(consent, endings[consent.id], tx.now))
    after = await save_candidate(candidate, candidates.remove_shares(candidate, endings), tx)
    await applications.withdraw_by_consents(after.id, endings, WithdrawalReason.CONSENT_ENDED, tx)
    return after


async def end_expired_consents(run: Runner[Transaction]) -> bool:
    """The job that ends consents whose time is over, so that their readers are told; no read waits for it."""
    return await run(_end_expired_batch)


async def end_all_consents(candidate: Candidate, ending: Ending, tx: Transaction) -> Candidate:
    """Every consent of the candidate ended."""
    return await end_consents(
        candidate, {share.consent_id: ending for share in candidate.visibility.shares}, tx
    )


async def end_superseded(
    candidate: Candidate, consents: Iterable[Consent], tx: Transaction
) -> Candidate:
    """The candidate, not stored yet, without the consents that a merge made superfluous; those end."""
    superfluous = rules.find_superseded(consents)
    for consent in superfluous:
        tx.consents.save(consent, rules.end(consent, Ending.MERGED, tx.now))
    return candidates.remove_shares(candidate, [consent.id for consent in superfluous])


async def record_residence(candidate: Candidate, regency_code: str, tx: Transaction) -> Candidate:
    """The candidate with the regency on the KTP. Consents for offices that do not answer there end."""
    moved = candidates.record_residence(candidate, regency_code)
    offices = await tx.agencies.many(
        [share.recipient for share in moved.visibility.shares], scoped=False
    )
    stayed = await end_consents(
        candidate,
        dict.fromkeys(
            rules.find_shares_outside_regency(moved, offices.values()), Ending.MOVED_AWAY
        ),
        tx,
    )
    return await save_candidate(stayed, candidates.record_residence(stayed, regency_code), tx)


async def _end_expired_batch(tx: Transaction) -> bool:
    run_out = await tx.consents.list_expired(tx.now, _BATCH_SIZE)
    for consent in run_out:
        candidate = await tx.candidates.get(consent.candidate_id)
        await end_consents(candidate, {consent.id: Ending.EXPIRED}, tx)
    return len(run_out) == _BATCH_SIZE
