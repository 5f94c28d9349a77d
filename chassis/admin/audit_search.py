"""Audit rows as an auditor searches them: by person, actor and time, within a scope, what could be a text hidden. Not here: how rows come to be, how they are proved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from chassis.caller import EVERYTHING, Caller
from chassis.jobs.audit_sealer import ACTS
from chassis.messaging.parked_events import redact
from chassis.persistence.mongo import Document, Mongo, Session
from chassis.persistence.unit_of_work import Transaction

Moment = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9998, 1, 1, tzinfo=UTC))
]  # beyond them no database tells a time in every zone
_LINKED = 1_000  # aggregates of one person that a search follows
_TOLD = {
    *(
        "_id",
        "at",
        "action",
        "subject",
        "actor",
        "role",
        "on_behalf_of",
        "what",
        "correlation_id",
        "causation_id",
        "block",
    ),
    *("facility", "person", "refs", "purpose", "asker", "version", "changed", "values"),
}


class AuditQuery(BaseModel):
    """What is searched for; what is not named does not narrow."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)
    person: str | None = Field(None, min_length=1, max_length=200)
    actor: str | None = Field(None, min_length=1, max_length=200)
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")

    async def where(self, db: Mongo, session: Session = None) -> Document:
        """The rows meant. A person's are those about the person, about aggregates that were ever the person's, and about what was merged into the person."""
        when = {name: value for name, value in (("$gte", self.since), ("$lt", self.until)) if value}
        found: Document = {"at": when} if when else {}
        if self.actor:
            found |= {"actor": self.actor} | ({} if self.actor.startswith("service:") else ACTS)
        if self.person:
            about = {"$in": sorted(await _linked(db, self.person, session))}
            found["$or"] = [{"subject": about}, {"person": about}, {"refs": about}]
        return found


async def _linked(db: Mongo, person: str, session: Session) -> set[str]:
    alias = await db.find_one("aliases", {"_id": person}, session=session)
    same = {person, alias["into"] if alias else person}
    same |= {
        row["_id"]
        for row in await db.find("aliases", {"into": {"$in": list(same)}}, session=session)
    }
    rows = await db.aggregate(
        "audit",
        [
            {"$match": {"person": {"$in": list(same)}}},
            {"$group": {"_id": "$subject"}},
            {"$limit": _LINKED},
        ],
        session=session,
    )
    return same | {row["_id"] for row in rows}


def scope_filter(caller: Caller) -> Document:
    """The rows of the caller's facilities; a row of no facility is seen by who sees all."""
    seen = caller.claim("facility")
    return {} if EVERYTHING in seen else {"facility": {"$in": sorted(seen)}}


async def search(
    tx: Transaction, sought: AuditQuery, cursor: str | None, limit: int, purpose: str
) -> tuple[list[Document], str | None]:
    """Rows of the caller's facilities, oldest first, behind the row whose id is the cursor; and the next cursor; it is noted, with its purpose."""
    where = {
        "$and": [
            scope_filter(tx.caller),
            await sought.where(tx.db, tx.session),
            {"_id": {"$gt": cursor or ""}},
        ]
    }
    rows = await tx.db.find("audit", where, sort=[("_id", 1)], limit=limit + 1, session=tx.session)
    tx.note(
        "audit.searched",
        sought.person or "",
        purpose=purpose,
        sought=sought.model_dump(exclude_none=True),
        rows=min(len(rows), limit),
    )
    return rows[:limit], rows[limit - 1]["_id"] if len(rows) > limit else None


def redacted(row: Document) -> Document:
    """A row as it is told: who, what, whose, when and why in full; of the rest no text."""
    values: dict[str, list[Any]] = row.get("values", {})
    more = redact("", {name: value for name, value in row.items() if name not in _TOLD})
    told = {name: row[name] for name in row.keys() & _TOLD} | dict(more)
    return told | {
        "values": {
            name: [shown for one in two for shown in redact("", {name: one}).values()]
            for name, two in values.items()
        }
    }
