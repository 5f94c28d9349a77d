"""What marketplace listens to: training's word on who may work, where participants are, and who is who."""

from __future__ import annotations

from datetime import date

from chassis.messaging.events import Inbound, Reference
from services.marketplace.transaction import Transaction
from services.marketplace.workers import usecases


class WorkEligibilityDecided(Inbound, type="training.work-eligibility-decided.v1"):
    """The TPP decided whether a participant may work."""

    participant_ref: Reference
    facility_id: str
    eligible: bool
    decided_on: date
    valid_until: date | None = None


class ParticipantAdmitted(Inbound, type="training.participant-admitted.v1"):
    """A participant came, perhaps again."""

    participant_ref: Reference
    facility_id: str


class ParticipantReturned(Inbound, type="training.participant-returned.v1"):
    """A participant who was away is back."""

    participant_ref: Reference
    facility_id: str


class ParticipantAbsent(Inbound, type="training.participant-absent.v1"):
    """A participant is away for a time."""

    participant_ref: Reference


class ParticipantReleased(Inbound, type="training.participant-released.v1"):
    """A participant has left for good."""

    participant_ref: Reference


class ParticipantTransferred(Inbound, type="training.participant-transferred.v1"):
    """A participant was moved to another facility."""

    participant_ref: Reference
    to_facility_id: str


class ParticipantMerged(Inbound, type="training.participant-merged.v1"):
    """Two references are one participant; comes twice, in any order."""

    from_ref: str
    into_ref: str


async def on_work_eligibility_decided(event: WorkEligibilityDecided, tx: Transaction) -> None:
    """The latest decision counts."""
    await usecases.record_decision(
        event.participant_ref,
        event.facility_id,
        event.decided_on,
        event.valid_until,
        tx,
        eligible=event.eligible,
    )


async def on_participant_admitted(event: ParticipantAdmitted, tx: Transaction) -> None:
    """They are here."""
    await usecases.record_presence(event.participant_ref, event.facility_id, tx)


async def on_participant_returned(event: ParticipantReturned, tx: Transaction) -> None:
    """They are here again."""
    await usecases.record_presence(event.participant_ref, event.facility_id, tx)


async def on_participant_absent(event: ParticipantAbsent, tx: Transaction) -> None:
    """No new place while they are away."""
    await usecases.record_absence(event.participant_ref, tx)


async def on_participant_released(event: ParticipantReleased, tx: Transaction) -> None:
    """Their places end."""
    await usecases.record_release(event.participant_ref, tx)


async def on_participant_transferred(event: ParticipantTransferred, tx: Transaction) -> None:
    """Their places end; the new facility decides anew."""
    await usecases.record_transfer(event.participant_ref, event.to_facility_id, tx)


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """One person, one reference."""
    await usecases.merge(event.from_ref, event.into_ref, event.meta.id, tx)
