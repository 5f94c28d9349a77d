"""The command `events replay`: archived events published again by their owner, and what their readers make of them. Not here: the rule how far back (chassis)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import Progress

from ops.errors import OperatorError
from ops.json_output import print_json
from ops.local import topology
from ops.local.operator_client import Operator, run_as_operator, select_services

SETTLE_SECONDS = 60.0
_STATES = ("done", "parked", "early", "discarded", "new", "unread")


@dataclass(slots=True)
class _ServiceReplay:
    """What one owner's replay is about, and what the readers said of it. `new` keeps, per reader, the pages of which something was new to it."""

    service: str
    body: dict[str, Any]
    topic: str = ""
    events: int = 0
    published: int = 0
    readers: dict[str, Counter[str]] = field(default_factory=dict[str, "Counter[str]"])
    pages_with_new: dict[str, list[dict[str, Any]]] = field(
        default_factory=dict[str, "list[dict[str, Any]]"]
    )

    def summary(self) -> dict[str, Any]:
        readers = {
            name: {state: counts[state] for state in _STATES}
            for name, counts in self.readers.items()
            if counts.total() > counts["unread"]
        }
        return {
            "service": self.service,
            "topic": self.topic,
            "events": self.events,
            "published": self.published,
            "readers": readers,
        }


def replay(
    service: str | None,
    since: str,
    until: str | None,
    key: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Publish the archive of that time again; 0 when every reader has dealt with what was new to it, else 1. A dry run only counts."""
    body = {
        "from": parse_moment("--from", since),
        "to": parse_moment("--to", until) if until else datetime.now(UTC).isoformat(),
        "key": key,
    }
    console = Console(stderr=True)

    async def again(operator: Operator) -> list[dict[str, Any]]:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            return [
                await _replay_service(
                    operator, _ServiceReplay(one, body), progress, dry_run=dry_run
                )
                for one in select_services(service)
            ]

    told = run_as_operator(again)
    events, published, left = (
        sum(one[name] for one in told) for name in ("events", "published", "left")
    )
    if as_json:
        print_json(
            {
                **body,
                "dry_run": dry_run,
                "events": events,
                "published": published,
                "left": left,
                "services": told,
            }
        )
    else:
        out = Console(highlight=False)
        for one in told:
            out.print(
                f"[bold]{one['service']}[/]: {one['events']} peristiwa, {one['published']} dikirim ulang"
            )
            for name, counts in one["readers"].items():
                words = f"{counts['new']} baru, {counts['done'] + counts['discarded']} sudah dikenal, {counts['parked']} tertahan, {counts['early']} menunggu pendahulu"
                out.print(f"  {name}: {words}")
    return 1 if left else 0


async def _replay_service(
    operator: Operator, service_replay: _ServiceReplay, progress: Progress, *, dry_run: bool
) -> dict[str, Any]:
    """Ask the readers first, so that what was new to them is known; then publish; then wait until they have dealt with it."""
    bar = progress.add_task(f"{service_replay.service}: menghitung", total=None)
    async for page in _read_pages(operator, service_replay, dry_run=True):
        progress.update(bar, total=service_replay.events or 1, advance=len(page["events"]))
        for reader in topology.SERVICES:
            about = {"topic": page["topic"], "events": page["events"]}
            counts = Counter(await operator.request(reader.name, "POST", "/event-status", about))
            service_replay.readers[reader.name] = (
                service_replay.readers.get(reader.name, Counter()) + counts
            )
            if counts["new"]:
                service_replay.pages_with_new.setdefault(reader.name, []).append(about)
    if dry_run or not service_replay.events:
        return service_replay.summary() | {"left": 0}
    progress.update(bar, description=f"{service_replay.service}: mengirim ulang", completed=0)
    async for page in _read_pages(operator, service_replay, dry_run=False):
        service_replay.published += page["published"]
        progress.update(bar, advance=page["published"])
    progress.update(bar, description=f"{service_replay.service}: menunggu pembaca", total=None)
    return service_replay.summary() | {"left": await _wait_until_applied(operator, service_replay)}


async def _read_pages(
    operator: Operator, service_replay: _ServiceReplay, *, dry_run: bool
) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = await operator.request(
            service_replay.service,
            "POST",
            "/replay",
            service_replay.body | {"cursor": cursor, "dry_run": dry_run},
        )
        service_replay.topic = page["topic"]
        service_replay.events = service_replay.events if page["total"] is None else page["total"]
        yield page
        cursor = page["next_cursor"]
        if cursor is None:
            return


async def _wait_until_applied(operator: Operator, service_replay: _ServiceReplay) -> int:
    """How many events are still new to a reader after a while."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLE_SECONDS
    while True:
        left = 0
        for reader, pages in service_replay.pages_with_new.items():
            for about in pages:
                left += (await operator.request(reader, "POST", "/event-status", about))["new"]
        if not left or loop.time() > deadline:
            return left
        await asyncio.sleep(0.2)


def parse_moment(option: str, text: str) -> str:
    """The time that an option names, in UTC. OperatorError when it is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        example = "2026-11-24T10:00+07:00"
        raise OperatorError(
            f"{option} {text}: tulis waktu seperti {example}.",
            f"{option} {text}: write a time like {example}.",
        ) from None
