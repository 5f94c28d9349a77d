"""The store of days of assessors and venues."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.certification.schedules.rules import BookingDay


class BookingDays(Store[BookingDay]):
    """Booking days. They are unscoped counters that no route shows.

    An LSP learns of a clash with a booking of another LSP, but not where that booking is.
    """

    kind = BookingDay
    collection = "days"
    scope = {"public": ""}
    audited = False

    async def get_or_empty(self, day_id: str) -> BookingDay:
        """Return the day; an empty one when nothing is booked on it yet."""
        return await self.seek(day_id) or BookingDay(id=day_id)

    def put(self, before: BookingDay, after: BookingDay) -> None:
        """Insert or replace the day."""
        if before.version:
            self.save(before, after)
        else:
            self.add(after)
