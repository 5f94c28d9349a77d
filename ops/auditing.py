"""The command `audit verify`: rows against their seals, seals against the anchors in Kafka. Not here: what a seal is (chassis)."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import Progress

from chassis.audit import anchor_type
from chassis.audit import verify as findings
from chassis.ids import utc_now
from chassis.mongo import Mongo
from ops import credentials, home, machine, mongo_setup, parts
from ops.operating import require_running, tell
from ops.topic import reading


def verify(service: str | None, *, as_json: bool) -> int:
    """Check one part's audit, or all; 0 when nothing was found wrong, else 1."""
    known = [part.name for part in parts.OURS]
    wanted = [parts.named(service, known)] if service else known
    require_running()
    told = asyncio.run(_verified(wanted))
    whole = not any(one["findings"] for one in told)
    if as_json:
        tell({"whole": whole, "services": told})
        return 0 if whole else 1
    console = Console(highlight=False)
    for one in told:
        console.print(f"{one['service']}: {one['blocks']} blok, {one['anchors']} jangkar, {'[red]' if one['findings'] else '[green]'}{len(one['findings'])} temuan[/]")
        for finding in one["findings"]:
            console.print(f"  blok {finding['block']}: {finding['row']} {finding['what']}", markup=False, soft_wrap=True)
    return 0 if whole else 1


async def _verified(services: list[str]) -> list[dict[str, Any]]:
    """The anchors are read first: whatever is anchored by then must be in the database afterwards."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        reading_anchors = progress.add_task("Membaca jangkar", total=None)
        anchors = await _anchors(services)
        progress.remove_task(reading_anchors)
        return [await _of(service, anchors[service]) for service in progress.track(services, description="Memeriksa jejak audit")]


async def _of(service: str, anchors: dict[int, str]) -> dict[str, Any]:
    secrets = home.home() / "secrets"
    url = os.environ.get("BINA_MONGO_URL") or mongo_setup.administrator_url(f"{machine.LOOPBACK}:{parts.MONGOD.port}", credentials.administrator_password(secrets))
    db = Mongo(url, service, "pymongo", app="bina-ops")
    try:
        key = bytes.fromhex((secrets / service / f"{service}_audit_key").read_text())
        found = await findings(db, key, anchors, utc_now())
        blocks = await db.count("seals", {})
    finally:
        await db.close()
    return {"service": service, "blocks": blocks, "anchors": len(anchors), "findings": [asdict(one) for one in found]}


async def _anchors(services: list[str]) -> dict[str, dict[int, str]]:
    """Each service's blocks with their digests as its topic has them."""
    kinds = {anchor_type(service).type.encode(): service for service in services}
    found: dict[str, dict[int, str]] = {service: {} for service in services}
    async with reading(*(f"{service}.events" for service in services)) as topics:
        async for records in topics.until_now():
            for record in records:
                service = kinds.get(dict(record.headers).get("ce_type", b""))
                if service is not None and record.topic == f"{service}.events":
                    body = json.loads(record.value or b"{}")
                    found[service][body["block"]] = body["digest"]
    return found
