"""The command `audit verify`: rows against their seals, seals against the anchors in Kafka.

Not here: the checks (chassis.admin.audit_export.verification).
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import Progress

from chassis.admin.audit_export.anchors import Anchor
from chassis.admin.audit_export.verification import verify as find_findings
from chassis.ids import utc_now
from ops.audit.anchors import open_database, read_audit_key, read_from_archive, read_from_topics
from ops.json_output import print_json
from ops.language import choose
from ops.local import topology
from ops.local.operator_client import require_running


def verify(service: str | None, *, as_json: bool) -> int:
    """Verify one service's audit, or all; return 0 without findings, else 1."""
    known = [part.name for part in topology.PROCESSES]
    wanted = [topology.require_known(service, known)] if service else known
    require_running()
    reports = asyncio.run(_verify_services(wanted))
    is_whole = not any(report["findings"] for report in reports)
    if as_json:
        print_json({"whole": is_whole, "services": reports})
    else:
        _print_reports(reports)
    return 0 if is_whole else 1


def _print_reports(reports: list[dict[str, Any]]) -> None:
    console = Console(highlight=False)
    for report in reports:
        findings = report["findings"]
        style = "red" if findings else "green"
        blocks = choose(f"{report['blocks']} blok", f"{report['blocks']} blocks")
        anchors = choose(f"{report['anchors']} jangkar", f"{report['anchors']} anchors")
        count = choose(f"{len(findings)} temuan", f"{len(findings)} findings")
        console.print(f"{report['service']}: {blocks}, {anchors}, [{style}]{count}[/]")
        for finding in findings:
            block = choose("blok", "block")
            line = f"  {block} {finding['block']}: {finding['row']} {finding['what']}"
            console.print(line, markup=False, soft_wrap=True)


async def _verify_services(services: list[str]) -> list[dict[str, Any]]:
    """Verify the services. Anchors are read first: an anchored block must be in the database."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        reading = choose("Membaca jangkar", "Reading anchors")
        reading_anchors = progress.add_task(reading, total=None)
        anchors = await read_from_topics(services)
        progress.remove_task(reading_anchors)
        verifying = choose("Memeriksa jejak audit", "Verifying the audit")
        return [
            await _verify_service(service, anchors[service])
            for service in progress.track(services, description=verifying)
        ]


async def _verify_service(service: str, anchors: dict[int, Anchor]) -> dict[str, Any]:
    async with open_database(service) as db:
        archived = await read_from_archive(db, service)
        findings = await find_findings(db, read_audit_key(service), archived | anchors, utc_now())
        blocks = await db.count("seals", {})
    return {
        "service": service,
        "blocks": blocks,
        "anchors": len(anchors),
        "findings": [asdict(finding) for finding in findings],
    }
