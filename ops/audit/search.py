"""The command `audit search`: rows of all services by person, actor and time.

Not here: the proof that the audit is complete (verify).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from chassis.admin.audit_search import AuditQuery, redacted
from ops.audit import server_actions
from ops.audit.anchors import open_database
from ops.events.replay import parse_moment
from ops.json_output import print_json
from ops.language import choose
from ops.local import topology
from ops.local.operator_client import printable, require_running
from ops.text_output import print_text


def search(
    service: str | None,
    person: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
    reason: str,
    limit: int,
    *,
    as_json: bool,
) -> int:
    """Print the rows, oldest first; return 0. The search and its reason get an audit row."""
    wanted = select_services(service)
    rows = asyncio.run(
        _search_services(wanted, build_query(person, actor, since, until), reason, limit)
    )
    shown: list[dict[str, Any]] = json.loads(json.dumps(rows[:limit], default=str))
    has_more = len(rows) > limit
    if as_json:
        print_json({"rows": shown, "more": has_more})
    else:
        _print_rows(shown, has_more=has_more)
    return 0


def _print_rows(rows: list[dict[str, Any]], *, has_more: bool) -> None:
    for row in rows:
        _print_row(row)
    count = choose(f"{len(rows)} baris", f"{len(rows)} rows")
    more = choose(
        ", masih ada lagi: persempit atau naikkan --limit",
        ", and there are more: narrow the search or raise --limit",
    )
    print_text(f"{count}{more if has_more else ''}.")


def _print_row(row: dict[str, Any]) -> None:
    """Print a row on a line for each fact: two ids do not fit beside each other in 80 columns."""
    print_text(f"{row['at'][:19]} UTC  {row['service']}  {row['action']}")
    facts = {
        choose("siapa", "who"): f"{row['role']} {row['actor']}",
        "data": row["subject"],
        choose("atas nama", "on behalf of"): row["on_behalf_of"],
        choose("untuk", "for"): row.get("purpose", "") or row["what"],
    }
    for title, fact in facts.items():
        if fact:
            print_text(f"  {title:<13}{printable(str(fact))}")


def select_services(service: str | None) -> list[str]:
    """Return the named service, or all.

    Raises OperatorError unless the system runs: its sealer must seal the row about the read.
    """
    known = [part.name for part in topology.PROCESSES]
    wanted = [topology.require_known(service, known)] if service else known
    require_running()
    return wanted


def build_query(
    person: str | None, actor: str | None, since: str | None, until: str | None
) -> AuditQuery:
    """Return the query of the options. Raises OperatorError for a malformed time."""
    times = {
        name: parse_moment(f"--{name}", text)
        for name, text in (("from", since), ("to", until))
        if text
    }
    return AuditQuery.model_validate({"person": person, "actor": actor, **times})


async def _search_services(
    services: list[str], query: AuditQuery, reason: str, limit: int
) -> list[dict[str, Any]]:
    """Return the first rows of all services: limit + 1 if there are more than the limit."""
    rows: list[dict[str, Any]] = []
    for service in services:
        async with open_database(service) as db:
            found = await db.find(
                "audit", await query.where(db), sort=[("_id", 1)], limit=limit + 1
            )
            await server_actions.record_action(
                db,
                "audit.searched",
                query.person or "",
                purpose=reason,
                sought=query.model_dump(exclude_none=True),
            )
        rows += [{"service": service} | redacted(row) for row in found]
    return sorted(rows, key=lambda row: row["_id"])[: limit + 1]
