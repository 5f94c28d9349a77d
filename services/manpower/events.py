"""The events that manpower publishes. Not here: events of other services (inbound).

No name, NIK, employer or wage is in them: readers hold the opaque `participant_ref`.
"""

from __future__ import annotations

from datetime import date

from chassis.messaging.events import Event, Reference


class PlacementConfirmed(Event, type="manpower.placement-confirmed.v1", key="participant_ref"):
    """A person has work of this kind from `started_on` on.

    Kinds: employee, apprentice, self_employed, cooperative.
    """

    participant_ref: Reference
    placement_id: str
    kind: str
    started_on: date
