"""What is allowed: how much one assessor, or one venue, can do on one day (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from services.certification.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One application's place in a day."""

    application_id: str
    venue_id: str
    scheme_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingDay:
    """One day of an assessor (through all LSPs) or of a venue: the counter that assignments share."""

    id: str
    version: int = 0
    bookings: tuple[Booking, ...] = ()


def assessor_day_id(met_no: str, on: date) -> str:
    """The id of an assessor's day: by the MET number, so that a clash is seen across LSPs."""
    return f"assessor/{met_no}/{on.isoformat()}"


def venue_day_id(venue_id: str, on: date) -> str:
    """The id of a venue's day."""
    return f"venue/{venue_id}/{on.isoformat()}"


def reasons_against_booking_assessor(
    day: BookingDay, booking: Booking, most_asesi: int
) -> list[Reason]:
    """Why the assessor cannot take this one too: somewhere else that day, or more candidates of the scheme than it allows."""
    others = [known for known in day.bookings if known.application_id != booking.application_id]
    if any(known.venue_id != booking.venue_id for known in others):
        return [Reason.SCHEDULE_CLASH]
    return (
        [Reason.RATIO_EXCEEDED]
        if sum(known.scheme_ref == booking.scheme_ref for known in others) >= most_asesi
        else []
    )


def reasons_against_booking_venue(day: BookingDay, booking: Booking, places: int) -> list[Reason]:
    """Why the venue cannot take this one too."""
    return (
        [Reason.SCHEDULE_CLASH]
        if sum(known.application_id != booking.application_id for known in day.bookings) >= places
        else []
    )


def book(day: BookingDay, booking: Booking) -> BookingDay:
    """The day with this booking; a second one of the same application takes the place of the first."""
    return replace(
        release(day, booking.application_id),
        bookings=(*release(day, booking.application_id).bookings, booking),
    )


def release(day: BookingDay, application_id: str) -> BookingDay:
    """The day without this application's booking."""
    return replace(
        day,
        bookings=tuple(known for known in day.bookings if known.application_id != application_id),
    )
