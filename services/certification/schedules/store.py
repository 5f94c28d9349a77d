"""How days of assessors and venues are kept."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.certification.schedules.rules import BookingDay


class BookingDays(Store[BookingDay]):
    kind = BookingDay
    collection = "days"
    scope = {
        "public": ""
    }  # counters that no route shows: an LSP learns of a clash with another's, never where
    audited = False

    async def get_or_empty(self, day_id: str) -> BookingDay:
        """The day, empty when nothing is booked on it yet."""
        return await self.seek(day_id) or BookingDay(id=day_id)

    def put(self, before: BookingDay, after: BookingDay) -> None:
        """Write the day."""
        if before.version:
            self.save(before, after)
        else:
            self.add(after)
