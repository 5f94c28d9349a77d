"""What a step leaves behind: its events and its audit rows, without a filter by kind.

Not here: the steps.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes import AsgiClient
from tests.training import factories

# Jobs and imports also change these, which are about no single matter of a person.
_FILES = frozenset({"snapshots", "chunks", "rosters", "row_errors"})


@dataclass
class Evidence:
    """Reads what is new in the outbox and in the audit rows since the last reading."""

    client: AsgiClient
    seen_events: set[str] = field(default_factory=set[str])
    seen_rows: set[str] = field(default_factory=set[str])

    async def read_events(self) -> list[str]:
        """Return the new events in order of their keys' sequence: type and key, by key."""
        rows = await factories.database(self.client).find(
            "outbox", {}, sort=[("key", 1), ("seq", 1)]
        )
        new = [row for row in rows if str(row["_id"]) not in self.seen_events]
        self.seen_events |= {str(row["_id"]) for row in new}
        own = [row for row in new if not row["type"].endswith("audit-sealed.v1")]
        return [f"{row['type'].split('.')[1]} {row['key']}" for row in own]

    async def read_changes(self) -> Counter[str]:
        """Return the new audit rows of changed documents: how often each action met a subject."""
        rows = await factories.database(self.client).find("audit", {})
        new = [row for row in rows if str(row["_id"]) not in self.seen_rows]
        self.seen_rows |= {str(row["_id"]) for row in new}
        changes: Counter[str] = Counter()
        for row in new:
            collection, _, verb = row["action"].rpartition(".")
            if verb in {"added", "changed", "removed"} and collection not in _FILES:
                changes[f"{row['action']} {row['subject']}"] += 1
        return changes

    async def skip(self) -> None:
        """Take what is there so far as seen."""
        await self.read_events()
        await self.read_changes()


def set_clock(client: AsgiClient, day: int, clock: str) -> None:
    """Stop the service's clock at a local time (Asia/Jakarta) some days from today."""
    hour, minute = map(int, clock.split(":"))
    date = factories.local_today() + timedelta(days=day)
    moment = datetime(date.year, date.month, date.day, hour, minute, tzinfo=UTC)
    client.app.state.engine.clock = lambda: moment - timedelta(hours=7)


def read_outcomes(answer: Any) -> dict[str, tuple[str, list[str]]]:
    """Return {key: (outcome, codes of the reasons)} of a report of a roster act."""
    return {
        line["key"]: (line["outcome"], [reason["code"] for reason in line["reasons"]])
        for line in answer.json()["lines"]
    }
