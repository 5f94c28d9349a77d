"""Rules of suspensions: by plan, or automatic while a participant is away.

Not here: what a suspension means for attendance (Enrolment.absence_on).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from chassis.errors import NotFound, Refused
from chassis.messaging.events import Event
from services.training.enrolments import rules
from services.training.enrolments.rules import Enrolment, Suspension, SuspensionCause
from services.training.events import EnrolmentResumed, EnrolmentSuspended
from services.training.settings import TEXTS


class SuspensionUnknown(NotFound):
    title = TEXTS["errors.suspension_unknown"]


class DatesWrong(Refused):
    title = TEXTS["errors.dates_wrong"]
    field = "until"


def suspend(
    enrolment: Enrolment, cause: SuspensionCause, today: date
) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment suspended for one more cause."""
    automatic = enrolment.automatic | {cause.value}
    return publish_suspension(replace(enrolment, automatic=automatic), today)


def resume(
    enrolment: Enrolment, cause: SuspensionCause, today: date
) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment without this cause; a planned suspension that runs takes over."""
    automatic = enrolment.automatic - {cause.value}
    return publish_suspension(replace(enrolment, automatic=automatic), today)


def suspend_for_transfer(enrolment: Enrolment, today: date) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment suspended for a transfer, which replaces every other cause."""
    only_transfer = frozenset({SuspensionCause.TRANSFER.value})
    return publish_suspension(replace(enrolment, automatic=only_transfer), today)


def plan_suspension(
    enrolment: Enrolment, suspension: Suspension, today: date
) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment with one more planned suspension. Raises DatesWrong."""
    rules.require_live(enrolment)
    _require_order(suspension)
    planned = (*enrolment.suspensions, suspension)
    return publish_suspension(replace(enrolment, suspensions=planned), today)


def shorten_suspension(
    enrolment: Enrolment, number: int, until: date | None, today: date
) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment whose suspension with this number (from 1) ends that day.

    None lifts it: it is removed, or ends yesterday when it has begun. Raises SuspensionUnknown,
    DatesWrong.
    """
    rules.require_live(enrolment)
    if not 1 <= number <= len(enrolment.suspensions):
        raise SuspensionUnknown
    suspensions = list(enrolment.suspensions)
    suspension = suspensions[number - 1]
    if until is None and today <= suspension.since:
        del suspensions[number - 1]
    else:
        last_day = until or today - timedelta(days=1)
        if suspension.until is not None and suspension.until < last_day:
            raise DatesWrong
        suspensions[number - 1] = _require_order(replace(suspension, until=last_day))
    return publish_suspension(replace(enrolment, suspensions=tuple(suspensions)), today)


def publish_suspension(enrolment: Enrolment, today: date) -> tuple[Enrolment, list[Event]]:
    """Return the enrolment with the event that it is suspended since today, or no longer.

    `changes_on` becomes the next day on which this function gives another event.
    """
    is_suspended = bool(enrolment.absence_on(today))
    days = [suspension.since for suspension in enrolment.suspensions]
    days += [each.until + timedelta(days=1) for each in enrolment.suspensions if each.until]
    after = replace(
        enrolment,
        is_suspension_published=is_suspended,
        changes_on=min((day for day in days if day > today), default=None),
    )
    if is_suspended == enrolment.is_suspension_published:
        return after, []
    event = EnrolmentSuspended if is_suspended else EnrolmentResumed
    return after, [event(**rules.event_fields(enrolment))]


def _require_order(suspension: Suspension) -> Suspension:
    if suspension.until is not None and suspension.until < suspension.since:
        raise DatesWrong
    return suspension
