"""Numbering of the feed: no change skipped, reordered or numbered twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.persistence.transactions import Runner, TransactionManager
from services.manpower.feed.usecases import number_changes
from tests.fakes import AsgiClient
from tests.manpower.harness import Json, RegionHarness, done


async def read_slowly(client: AsgiClient, cursor: str, count: int) -> list[Json]:
    """Read three items at a time, always from the last cursor, until there are `count`."""
    items: list[Json] = []
    while len(items) < count:
        page = await done(client.get(f"/v1/feed?after={cursor}&limit=3&wait=5"))
        items += page["items"]
        cursor = page["next_cursor"]
    return items


@pytest.mark.scenario("P7/order", "MP-2/feed")
async def test_twenty_writers_and_a_slow_reader_skip_and_reorder_nothing(
    region: RegionHarness,
) -> None:
    refs = await region.shared(20)
    _, cursor = await region.feed(region.dinas())
    changes_per_person = 5
    total = len(refs) * changes_per_person
    reader = asyncio.create_task(read_slowly(region.dinas(), cursor, total))

    async def write(ref: str) -> None:
        for _ in range(changes_per_person):
            await region.handled(await region.publish_certificate(ref, new_id()))

    await asyncio.gather(*(write(ref) for ref in refs))
    items = await reader
    seqs = [item["seq"] for item in items]
    assert seqs == sorted(set(seqs))
    for ref in refs:
        versions = [item["version"] for item in items if item["subject"]["ref"] == ref]
        assert len(versions) == changes_per_person
        assert versions == sorted(set(versions))
    assert await region.db.count("feed_changes", {}) == 0


class ProcessKilled(BaseException):
    """The process died."""


async def kill_process(_tx: Any) -> None:
    raise ProcessKilled


@pytest.mark.scenario("P7/crash", "MP-2/feed")
async def test_a_crash_before_the_commit_numbers_nothing_twice(region: RegionHarness) -> None:
    """The next numbering numbers all changes once, in order."""
    await region.numbered()
    head = await region.db.find_one("feed_heads", {"_id": "feed"}) or {"last": 0}
    [ref] = await region.shared(1)
    await region.numbered()
    engine = region.engine
    dying = TransactionManager(
        engine.db, engine.transaction, engine.ports, before_commit=[kill_process]
    )
    for _ in range(3):
        await region.handled(await region.publish_certificate(ref, new_id()))
        try:
            await number_changes(Runner(dying, region.runner().cause))
        except ProcessKilled:
            continue
    await region.numbered()
    new_entries = {"seq": {"$gt": head["last"]}}
    entries = await region.db.find("feed_entries", new_entries, sort=[("seq", 1)])
    first = head["last"] + 1
    assert [entry["seq"] for entry in entries] == list(range(first, first + len(entries)))
    assert len({entry["_id"] for entry in entries}) == len(entries)
    types = [entry["type"] for entry in entries if entry["subject_ref"] == ref]
    assert types == ["candidate.shared", *["candidate.changed"] * 3]


@pytest.mark.scenario("MP-2/feed")
async def test_two_numberings_at_once_give_every_change_one_number(region: RegionHarness) -> None:
    refs = await region.shared(6)
    await asyncio.gather(*(number_changes(region.runner()) for _ in range(4)))
    items, _ = await region.feed(region.dinas())
    assert sorted(item["subject"]["ref"] for item in items) == sorted(refs)
    assert len({item["seq"] for item in items}) == len(refs)
