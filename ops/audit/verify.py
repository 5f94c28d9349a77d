"""The command `audit verify`: rows against their seals, seals against the anchors in Kafka. Not here: what is looked for (findings), what a seal is (chassis)."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import Progress

from chassis.admin.audit_export.anchors import Anchor
from chassis.admin.audit_export.verification import verify as findings
from chassis.ids import utc_now
from ops.audit.anchors import open_database, read_audit_key, read_from_archive, read_from_topics
from ops.json_output import print_json
from ops.local import topology
from ops.local.operator_client import require_running


def verify(service: str | None, *, as_json: bool) -> int:
    """Check one part's audit, or all; 0 when nothing was found wrong, else 1."""
    known = [part.name for part in topology.PROCESSES]
    wanted = [topology.require_known(service, known)] if service else known
    require_running()
    told = asyncio.run(_verify_services(wanted))
    whole = not any(one["findings"] for one in told)
    if as_json:
        print_json({"whole": whole, "services": told})
        return 0 if whole else 1
    console = Console(highlight=False)
    for one in told:
        console.print(
            f"{one['service']}: {one['blocks']} blok, {one['anchors']} jangkar, {'[red]' if one['findings'] else '[green]'}{len(one['findings'])} temuan[/]"
        )
        for finding in one["findings"]:
            console.print(
                f"  blok {finding['block']}: {finding['row']} {finding['what']}",
                markup=False,
                soft_wrap=True,
            )
    return 0 if whole else 1


async def _verify_services(services: list[str]) -> list[dict[str, Any]]:
    """The anchors are read first: whatever is anchored by then must be in the database afterwards."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        reading_anchors = progress.add_task("Membaca jangkar", total=None)
        anchors = await read_from_topics(services)
        progress.remove_task(reading_anchors)
        return [
            await _verify_service(service, anchors[service])
            for service in progress.track(services, description="Memeriksa jejak audit")
        ]


async def _verify_service(service: str, anchors: dict[int, Anchor]) -> dict[str, Any]:
    async with open_database(service) as db:
        archived = await read_from_archive(db, service)
        found = await findings(db, read_audit_key(service), archived | anchors, utc_now())
        blocks = await db.count("seals", {})
    return {
        "service": service,
        "blocks": blocks,
        "anchors": len(anchors),
        "findings": [asdict(one) for one in found],
    }
