"""The events of training that marketplace consumes, as tolerant copies with their handlers.

Not here: what follows from an event (use cases).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from chassis.messaging.events import Inbound, Reference
from services.marketplace.batches import usecases as batches
from services.marketplace.transaction import Transaction
from services.marketplace.workers import usecases as workers
from services.marketplace.workers.store import Workers


class ParticipantEvent(Inbound):
    """An event about one participant, whose handler reads the worker of that id."""

    participant_ref: Reference

    def reads(self) -> Iterable[tuple[Any, str]]:
        """Return the worker that the handler reads."""
        return [(Workers, self.participant_ref)]


class WorkEligibilityDecided(ParticipantEvent, type="training.work-eligibility-decided.v1"):
    """The TPP decided whether a participant may work."""

    facility_id: str
    eligible: bool
    decided_on: date
    valid_until: date | None = None


class ParticipantAdmitted(ParticipantEvent, type="training.participant-admitted.v1"):
    """A participant was admitted, for the first time or again."""

    facility_id: str


class ParticipantReturned(ParticipantEvent, type="training.participant-returned.v1"):
    """An absent participant is back."""

    facility_id: str


class ParticipantAbsent(ParticipantEvent, type="training.participant-absent.v1"):
    """A participant is absent for a limited time."""


class ParticipantReleased(ParticipantEvent, type="training.participant-released.v1"):
    """A participant was released."""


class ParticipantTransferred(ParticipantEvent, type="training.participant-transferred.v1"):
    """A participant was moved to another facility."""

    to_facility_id: str


class ParticipantMerged(Inbound, type="training.participant-merged.v1"):
    """Two references are one participant. Published under both keys, so it arrives twice."""

    from_ref: str
    into_ref: str


async def on_work_eligibility_decided(event: WorkEligibilityDecided, tx: Transaction) -> None:
    """Record the decision; the latest counts."""
    await workers.record_decision(
        event.participant_ref,
        event.facility_id,
        event.decided_on,
        event.valid_until,
        tx,
        eligible=event.eligible,
    )


async def on_participant_admitted(event: ParticipantAdmitted, tx: Transaction) -> None:
    """Record the participant as present."""
    await workers.record_presence(event.participant_ref, event.facility_id, tx)


async def on_participant_returned(event: ParticipantReturned, tx: Transaction) -> None:
    """Record the participant as present again."""
    await workers.record_presence(event.participant_ref, event.facility_id, tx)


async def on_participant_absent(event: ParticipantAbsent, tx: Transaction) -> None:
    """Record the participant as absent; new assignments are refused."""
    await workers.record_absence(event.participant_ref, tx)


async def on_participant_released(event: ParticipantReleased, tx: Transaction) -> None:
    """End the participant's assignments."""
    await workers.record_release(event.participant_ref, tx)


async def on_participant_transferred(event: ParticipantTransferred, tx: Transaction) -> None:
    """End the participant's assignments; the new facility needs a decision of its own."""
    await workers.record_transfer(event.participant_ref, event.to_facility_id, tx)


async def on_participant_merged(event: ParticipantMerged, tx: Transaction) -> None:
    """Move everything that belongs to the merged reference to the surviving one."""
    await batches.merge_participants(event.from_ref, event.into_ref, event.meta.id, tx)
