"""Rules of days: how much one assessor, or one venue, can do (certification section 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from services.certification.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One application booked on a day."""

    application_id: str
    venue_id: str
    scheme_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingDay:
    """One day of an assessor (at all LSPs) or of a venue: the counter that assignments share."""

    id: str
    version: int = 0
    bookings: tuple[Booking, ...] = ()


def assessor_day_id(met_no: str, on: date) -> str:
    """Return the id of an assessor's day: by MET number, so that LSPs share it."""
    return f"assessor/{met_no}/{on.isoformat()}"


def venue_day_id(venue_id: str, on: date) -> str:
    """Return the id of a venue's day."""
    return f"venue/{venue_id}/{on.isoformat()}"


def reasons_against_booking_assessor(
    day: BookingDay, booking: Booking, max_asesi: int
) -> list[Reason]:
    """Return why the assessor cannot take this booking too; empty means possible.

    An assessor is at one venue a day and assesses at most `max_asesi` candidates of a scheme.
    """
    others = _other_bookings(day, booking.application_id)
    if any(other.venue_id != booking.venue_id for other in others):
        return [Reason.SCHEDULE_CLASH]
    of_same_scheme = [other for other in others if other.scheme_ref == booking.scheme_ref]
    if len(of_same_scheme) >= max_asesi:
        return [Reason.RATIO_EXCEEDED]
    return []


def reasons_against_booking_venue(
    day: BookingDay, booking: Booking, places_per_day: int
) -> list[Reason]:
    """Return why the venue cannot take this booking too; empty means possible."""
    if len(_other_bookings(day, booking.application_id)) >= places_per_day:
        return [Reason.SCHEDULE_CLASH]
    return []


def book(day: BookingDay, booking: Booking) -> BookingDay:
    """Add a booking; it replaces an earlier one of the same application."""
    others = _other_bookings(day, booking.application_id)
    return replace(day, bookings=(*others, booking))


def release(day: BookingDay, application_id: str) -> BookingDay:
    """Remove the booking of this application."""
    return replace(day, bookings=_other_bookings(day, application_id))


def _other_bookings(day: BookingDay, application_id: str) -> tuple[Booking, ...]:
    return tuple(booking for booking in day.bookings if booking.application_id != application_id)
