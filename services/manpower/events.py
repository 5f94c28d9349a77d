"""What manpower tells the world. No name, NIK, employer or wage: readers hold the opaque participant_ref."""

from __future__ import annotations

from datetime import date

from chassis.messaging.events import Event, Reference


class PlacementConfirmed(Event, type="manpower.placement-confirmed.v1", key="participant_ref"):
    """A person has work: as employee, apprentice, self-employed or in a cooperative, from that day on."""

    participant_ref: Reference
    placement_id: str
    kind: str
    started_on: date
