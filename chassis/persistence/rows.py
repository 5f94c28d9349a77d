"""The form of audit rows and outbox rows, and the operation context that they record.

Not here: when they are written (unit_of_work), sealed (jobs.audit_sealer) and sent (messaging).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chassis.caller import Caller
from chassis.ids import event_id, new_id
from chassis.persistence.protocols import Aggregate, Event
from chassis.persistence.statements import Document

MAX_EVENT_BYTES = 256 * 1024
MAX_UTF8_BYTES_PER_CHARACTER = 4


@dataclass(slots=True, kw_only=True)
class OperationContext:
    """Caller, correlation, causation and trace of one transaction.

    `failed` maps the ids of events that must not be applied again to the reason.
    `without_early_events` leaves early events to a later transaction.
    """

    caller: Caller
    correlation_id: str
    causation_id: str = ""
    what: str = ""
    traceparent: str = ""
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    without_early_events: bool = False


class EventTooLarge(Exception):
    """The body of an event exceeds 256 KiB."""


def audit_row(
    context: OperationContext,
    now: datetime,
    action: str,
    subject_ref: str,
    facts: Mapping[str, Any],
) -> Document:
    """Return the audit row of one action on one subject."""
    caller = context.caller
    return {
        "_id": new_id(),
        "at": now,
        "action": action,
        "subject": subject_ref,
        "actor": caller.subject,
        "role": caller.role,
        "on_behalf_of": caller.on_behalf_of,
        "what": context.what,
        "correlation_id": context.correlation_id,
        "causation_id": context.causation_id,
        "block": None,
        "facility": caller.facility,
        **facts,
    }


def outbox_row(
    context: OperationContext,
    now: datetime,
    event: Event,
    collection: str,
    aggregate: Aggregate,
    index: int,
    facility: str,
) -> Document:
    """Return the outbox row of the index-th event of an aggregate's version, without its seq.

    Raises EventTooLarge.
    """
    body = event.model_dump_json(exclude_none=True)
    may_be_too_large = len(body) * MAX_UTF8_BYTES_PER_CHARACTER > MAX_EVENT_BYTES
    if may_be_too_large and len(body.encode()) > MAX_EVENT_BYTES:
        raise EventTooLarge(event.type)
    return {
        "_id": event_id(
            event.type.partition(".")[0], collection, aggregate.id, aggregate.version, index
        ),
        "sent": False,
        "type": event.type,
        "at": now,
        "aggregate_id": aggregate.id,
        "aggregate_version": aggregate.version,
        "actor_role": context.caller.role,
        "actor_ref": context.caller.subject,
        "correlation_id": context.correlation_id,
        "causation_id": context.causation_id,
        "facility_id": facility,
        "traceparent": context.traceparent,
        "body": body,
    }
