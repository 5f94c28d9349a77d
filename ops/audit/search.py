"""The command `audit search`: rows of all services by person, actor and time.

Not here: the proof that they are whole (verify).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from rich.console import Console
from rich.table import Table

from chassis.admin.audit_search import AuditQuery, redacted
from ops.audit import server_actions
from ops.audit.anchors import open_database
from ops.events.replay import parse_moment
from ops.json_output import print_json
from ops.local import topology
from ops.local.operator_client import require_running


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
    """Print the rows, oldest first; return 0. The search itself is noted with its reason."""
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
    titles = ("Waktu (UTC)", "Bagian", "Siapa", "Tindakan", "Data", "Atas nama", "Untuk")
    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        purpose = str(row.get("purpose", "") or row["what"])
        table.add_row(
            row["at"][:19],
            row["service"],
            f"{row['role']} {row['actor']}",
            row["action"],
            row["subject"],
            row["on_behalf_of"],
            purpose,
        )
    more = ", masih ada lagi: persempit atau naikkan --limit" if has_more else ""
    Console(highlight=False).print(table, f"{len(rows)} baris{more}.", sep="\n")


def select_services(service: str | None) -> list[str]:
    """Return the named service, or all.

    The system must run, so that the read is noted and sealed. Raises OperatorError.
    """
    known = [part.name for part in topology.PROCESSES]
    wanted = [topology.require_known(service, known)] if service else known
    require_running()
    return wanted


def build_query(
    person: str | None, actor: str | None, since: str | None, until: str | None
) -> AuditQuery:
    """Return the query of the options. Raises OperatorError for a text that is no time."""
    times = {
        name: parse_moment(f"--{name}", text)
        for name, text in (("from", since), ("to", until))
        if text
    }
    return AuditQuery.model_validate({"person": person, "actor": actor, **times})


async def _search_services(
    services: list[str], query: AuditQuery, reason: str, limit: int
) -> list[dict[str, Any]]:
    """Return the first rows of all services, one beyond the limit where there are more."""
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
