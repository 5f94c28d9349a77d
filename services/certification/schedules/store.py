"""How days of assessors and venues are kept."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.certification.schedules.rules import Day


class Days(Store[Day]):
    kind = Day
    collection = "days"
    scope = {
        "public": ""
    }  # counters that no route shows: an LSP learns of a clash with another's, never where
    audited = False

    async def of(self, day_id: str) -> Day:
        """The day, empty when nothing is booked on it yet."""
        return await self.seek(day_id) or Day(id=day_id)

    def keep(self, before: Day, after: Day) -> None:
        """Write the day."""
        if before.version:
            self.save(before, after)
        else:
            self.add(after)
