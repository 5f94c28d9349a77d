"""The events that marketplace publishes.

Not here: anything about a person's premi, wallet or loans. Those are local rows.
"""

from __future__ import annotations

from datetime import date

from chassis.messaging.events import Event, Reference


class WorkLogged(Event, type="marketplace.work-logged.v1", key="participant_ref"):
    """A participant's work in a workshop was recorded or corrected.

    `units_total` is the sum of that month so far.
    """

    participant_ref: Reference
    workshop_id: str
    month: str
    unit_kind: str
    units_total: int


class ProceedsSplit(Event, type="marketplace.proceeds-split.v1", key="order_id"):
    """The proceeds of a paid order were divided: rupiah per party.

    One event covers one workshop and product class of the order. It names no person and no buyer.
    """

    order_id: str
    workshop_id: str
    product_class: str
    amounts_idr: dict[str, int]


class ProceedsSplitReversed(Event, type="marketplace.proceeds-split-reversed.v1", key="order_id"):
    """The proceeds of an order were taken back: rupiah per party, only what went back.

    The amounts are those of ProceedsSplit, so that a reader subtracts what it added. They belong to
    the month of `reversed_on`, a day in the facility's zone.
    """

    order_id: str
    reversal_id: str
    workshop_id: str
    product_class: str
    amounts_idr: dict[str, int]
    reversed_on: date
