"""The command `events replay`: publishes archived events again and reports their effect.

Not here: how far back a replay may reach (chassis.admin.replay).
"""

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
from ops.language import choose
from ops.local import topology
from ops.local.operator_client import Operator, run_as_operator, select_services
from ops.text_output import print_text

# How long readers may take to apply the events that were new to them.
SETTLE_SECONDS = 60.0
_STATES = ("done", "parked", "early", "discarded", "new", "unread")


@dataclass(slots=True)
class _ServiceReplay:
    """The replay of one service's archive.

    `readers` has each reader's counts of events by state, `pages_with_new` the requests about
    pages with events that were new to it.
    """

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
    """Publish the archived events of a period again; a dry run only counts.

    Returns 0 when every reader has handled the events that were new to it, else 1.
    """
    body = {
        "from": parse_moment("--from", since),
        "to": parse_moment("--to", until) if until else datetime.now(UTC).isoformat(),
        "key": key,
    }
    console = Console(stderr=True)

    async def replay_all(operator: Operator) -> list[dict[str, Any]]:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            return [
                await _replay_service(
                    operator, _ServiceReplay(name, body), progress, dry_run=dry_run
                )
                for name in select_services(service)
            ]

    reports = run_as_operator(replay_all)
    totals = {
        name: sum(report[name] for report in reports) for name in ("events", "published", "left")
    }
    if as_json:
        print_json({**body, "dry_run": dry_run, **totals, "services": reports})
    else:
        _print_reports(reports)
    return 1 if totals["left"] else 0


def _print_reports(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        print_text(
            f"{report['service']}: "
            + choose(
                f"{report['events']} peristiwa, {report['published']} dikirim ulang",
                f"{report['events']} events, {report['published']} published again",
            )
        )
        for name, counts in report["readers"].items():
            known = counts["done"] + counts["discarded"]
            print_text(
                f"  {name}: "
                + choose(
                    f"{counts['new']} baru, {known} sudah dikenal, {counts['parked']} tertahan, "
                    f"{counts['early']} menunggu pendahulu",
                    f"{counts['new']} new, {known} known, {counts['parked']} parked, "
                    f"{counts['early']} early",
                )
            )


async def _replay_service(
    operator: Operator, service_replay: _ServiceReplay, progress: Progress, *, dry_run: bool
) -> dict[str, Any]:
    """Count which events are new to each reader, publish, and wait until they are handled."""
    name = service_replay.service
    bar = progress.add_task(f"{name}: {choose('menghitung', 'counting')}", total=None)
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
    publishing = choose("mengirim ulang", "publishing")
    progress.update(bar, description=f"{name}: {publishing}", completed=0)
    async for page in _read_pages(operator, service_replay, dry_run=False):
        service_replay.published += page["published"]
        progress.update(bar, advance=page["published"])
    waiting = choose("menunggu pembaca", "waiting for readers")
    progress.update(bar, description=f"{name}: {waiting}", total=None)
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
    """Wait until no event is new to a reader; return how many still are after SETTLE_SECONDS."""
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
    """Return the moment of an option as ISO 8601 in UTC. Raises OperatorError if it is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        example = "2026-11-24T10:00+07:00"
        raise OperatorError(
            f"{option} {text}: tulis waktu seperti {example}.",
            f"{option} {text}: write a time like {example}.",
        ) from None
