"""The command `audit search`: rows of all parts by person, actor and time, as a person reads them. Not here: what is meant by them (chassis), the proof that they are whole."""

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
    """Show what was found, oldest first; 0. The search itself is noted, with its reason."""
    wanted = select_services(service)
    rows = asyncio.run(
        _search_services(wanted, build_query(person, actor, since, until), reason, limit)
    )
    told: list[dict[str, Any]] = json.loads(json.dumps(rows[:limit], default=str))
    if as_json:
        print_json({"rows": told, "more": len(rows) > limit})
        return 0
    table = Table(
        "Waktu (UTC)",
        "Bagian",
        "Siapa",
        "Tindakan",
        "Data",
        "Atas nama",
        "Untuk",
        box=None,
        pad_edge=False,
    )
    for row in told:
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
    Console(highlight=False).print(
        table,
        f"{len(told)} baris{', masih ada lagi: persempit atau naikkan --limit' if len(rows) > limit else ''}.",
        sep="\n",
    )
    return 0


def select_services(service: str | None) -> list[str]:
    """The part of that name, or all; the system must run, so that what is looked at is noted and sealed. OperatorError."""
    known = [part.name for part in topology.PROCESSES]
    wanted = [topology.require_known(service, known)] if service else known
    require_running()
    return wanted


def build_query(
    person: str | None, actor: str | None, since: str | None, until: str | None
) -> AuditQuery:
    """What the options ask for. OperatorError when a time is none."""
    times = {
        name: parse_moment(f"--{name}", text)
        for name, text in (("from", since), ("to", until))
        if text
    }
    return AuditQuery.model_validate({"person": person, "actor": actor, **times})


async def _search_services(
    services: list[str], query: AuditQuery, reason: str, limit: int
) -> list[dict[str, Any]]:
    """The first rows of all services together, one more than the limit where there are more."""
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
