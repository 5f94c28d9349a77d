"""What marketplace tells the world. Nothing about a person's premi, wallet or loans: those are local rows."""

from __future__ import annotations

from chassis.messaging.events import Event, Reference


class WorkLogged(Event, type="marketplace.work-logged.v1", key="participant_ref"):
    """Work of a participant in a workshop was recorded or corrected: `units_total` is the whole of that month so far."""

    participant_ref: Reference
    workshop_id: str
    month: str
    unit_kind: str
    units_total: int


class ProceedsSplit(Event, type="marketplace.proceeds-split.v1", key="order_id"):
    """The proceeds of a paid order were divided: rupiah per party for one workshop and product class of the order. No person, no buyer."""

    order_id: str
    workshop_id: str
    product_class: str
    amounts_idr: dict[str, int]
