"""Search of audit rows by person, actor and time, within the scope of the auditor.

Not here: how rows are written (unit of work), how they are verified (audit_export).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chassis.caller import EVERYTHING, Caller
from chassis.ids import first_id_at
from chassis.jobs.audit_sealer import ACTS
from chassis.messaging.parked_events import redact
from chassis.moments import Moment
from chassis.persistence.mongo import Document, Mongo, Session
from chassis.persistence.unit_of_work import Transaction

AUDIT_LIST = "audit"
# Rows are sorted by their ids, which are made at most this long before or after the time of their
# transaction; a clock may be set in between.
ID_MARGIN = timedelta(minutes=10)
MAX_LINKED = 1_000  # aggregates of one person that a search follows
_SHOWN_FIELDS = frozenset(
    {
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
        "facility",
        "person",
        "refs",
        "purpose",
        "asker",
        "version",
        "changed",
        "values",
    }
)


class AuditQuery(BaseModel):
    """The conditions of a search; a field that is not given adds none."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)
    person: str | None = Field(None, min_length=1, max_length=200)
    actor: str | None = Field(None, min_length=1, max_length=200)
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")

    async def where(self, db: Mongo, session: Session = None) -> Document:
        """Return the filter of the matching rows.

        A search for a person finds rows about the person, about references that were merged with
        the person's, and about aggregates that belonged to the person at any time. A search for an
        actor who is not a service finds only rows of the actor's own requests.
        """
        where: Document = {}
        period: Document = {}
        ids: Document = {}
        if self.since:
            period["$gte"] = self.since
            ids["$gte"] = first_id_at(self.since - ID_MARGIN)
        if self.until:
            period["$lt"] = self.until
            ids["$lt"] = first_id_at(self.until + ID_MARGIN)
        if period:
            where["at"] = period
            where["_id"] = ids
        if self.actor:
            where["actor"] = self.actor
            if not self.actor.startswith("service:"):
                where |= ACTS
        if self.person:
            refs = {"$in": sorted(await _linked_refs(db, self.person, session))}
            where["$or"] = [{"subject": refs}, {"person": refs}, {"refs": refs}]
        return where


async def _linked_refs(db: Mongo, person: str, session: Session) -> set[str]:
    """Return the references of a person and of the aggregates that were ever the person's."""
    alias = await db.find_one("aliases", {"_id": person}, session=session)
    refs = {person, alias["into"] if alias else person}
    merged = await db.find("aliases", {"into": {"$in": list(refs)}}, session=session)
    refs |= {row["_id"] for row in merged}
    pipeline: list[Document] = [
        {"$match": {"person": {"$in": list(refs)}}},
        {"$group": {"_id": "$subject"}},
        {"$limit": MAX_LINKED},
    ]
    aggregates = await db.aggregate("audit", pipeline, session=session)
    return refs | {row["_id"] for row in aggregates}


def scope_filter(caller: Caller) -> Document:
    """Return the filter of the caller's facilities.

    Rows without a facility are visible only with the facility claim `*`.
    """
    facilities = caller.claim("facility")
    if EVERYTHING in facilities:
        return {}
    return {"facility": {"$in": sorted(facilities)}}


async def search(
    tx: Transaction, sought: AuditQuery, cursor: str | None, limit: int, purpose: str
) -> tuple[list[Document], str | None]:
    """Return the page of rows in the caller's scope after `cursor`, and the next cursor.

    The oldest row is first. The search itself is audited with its purpose. Raises CursorInvalid.
    """
    filters = sought.model_dump(exclude_none=True)
    after = ""
    if cursor is not None:
        after = tx.cursors.verify(cursor, AUDIT_LIST, filters=filters)[0]
    conditions = [
        scope_filter(tx.caller),
        await sought.where(tx.db, tx.session),
        {"_id": {"$gt": after}},
    ]
    rows = await tx.db.find(
        "audit", {"$and": conditions}, sort=[("_id", 1)], limit=limit + 1, session=tx.session
    )
    tx.note(
        "audit.searched",
        sought.person or "",
        purpose=purpose,
        sought=filters,
        rows=min(len(rows), limit),
    )
    if len(rows) <= limit:
        return rows, None
    last_id = rows[limit - 1]["_id"]
    return rows[:limit], tx.cursors.sign(AUDIT_LIST, [last_id], filters=filters)


def redacted(row: Document) -> Document:
    """Return a row in which changed values, and texts outside `_SHOWN_FIELDS`, are redacted."""
    shown = {name: row[name] for name in row.keys() & _SHOWN_FIELDS}
    others = {name: value for name, value in row.items() if name not in _SHOWN_FIELDS}
    shown |= redact("", others)
    changes: dict[str, list[Any]] = row.get("values", {})
    shown["values"] = {name: _redact_values(name, values) for name, values in changes.items()}
    return shown


def _redact_values(name: str, values: list[Any]) -> list[Any]:
    """Return the values of one field before and after a change, each redacted."""
    redacted_values: list[Any] = []
    for value in values:
        redacted_values += redact("", {name: value}).values()
    return redacted_values
