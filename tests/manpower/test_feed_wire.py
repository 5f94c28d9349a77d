"""The feed on the wire: nothing skipped, nothing reordered, nothing told twice, whatever writers, crashes and slow readers do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from chassis.ids import new_id, utc_now
from chassis.persistence.transactions import Runner, TransactionManager
from services.manpower.consents.usecases import end_expired_consents
from services.manpower.feed import rules
from services.manpower.feed.usecases import RETENTION, drop_old_entries, number_changes
from tests.fakes import AsgiClient
from tests.manpower.harness import CURSOR_KEY, Json, Region, done, refused

KEY = bytes.fromhex(CURSOR_KEY)


async def shared(region: Region, count: int) -> list[str]:
    """People whom the Dinas may see."""
    refs = [await region.admitted() for _ in range(count)]
    for ref in refs:
        await region.consents(ref, fields=("skills",))
    return refs


def told(items: list[Json]) -> list[tuple[str, str]]:
    return [(item["type"], item["subject"]["ref"]) for item in items]


async def test_an_item_is_thin_and_its_href_gives_the_content_under_the_readers_rights(
    region: Region,
) -> None:
    [ref] = await shared(region, 1)
    [item], _ = await region.feed(region.dinas())
    assert item.keys() == {"seq", "event_id", "type", "occurred_at", "subject", "href", "version"}
    assert (item["type"], item["subject"], item["href"]) == (
        "candidate.shared",
        {"kind": "candidate", "ref": ref},
        f"/v1/candidates/{ref}",
    )
    assert (await done(region.dinas().get(item["href"])))["id"] == ref


@pytest.mark.scenario("P7/order", "MP-2/feed")
async def test_twenty_concurrent_writers_and_a_slow_reader_skip_and_reorder_nothing(
    region: Region,
) -> None:
    refs = await shared(region, 20)
    cursor = (await region.feed(region.dinas()))[1]
    rounds = 5
    reader = asyncio.create_task(read_slowly(region, region.dinas(), cursor, len(refs) * rounds))

    async def write(ref: str) -> None:
        for _ in range(rounds):
            event_id = await region.tell_certified(ref, new_id())
            await region.handled(event_id)

    await asyncio.gather(*(write(ref) for ref in refs))
    items = await reader
    seqs = [item["seq"] for item in items]
    assert seqs == sorted(set(seqs))
    for ref in refs:
        versions = [item["version"] for item in items if item["subject"]["ref"] == ref]
        assert len(versions) == rounds
        assert versions == sorted(set(versions))
    assert await region.db.count("feed_changes", {}) == 0


async def read_slowly(region: Region, client: AsgiClient, cursor: str, count: int) -> list[Json]:
    """Read three items at a time, always from the cursor given last, until there are so many."""
    items: list[Json] = []
    while len(items) < count:
        page = await done(client.get(f"/v1/feed?after={cursor}&limit=3&wait=5"))
        items += page["items"]
        cursor = page["next_cursor"]
    return items


@pytest.mark.scenario("P7/crash", "MP-2/feed")
async def test_a_numbering_that_dies_before_its_commit_numbers_nothing_and_the_next_one_numbers_all_once(
    region: Region,
) -> None:
    await region.numbered()
    head = await region.db.find_one("feed_heads", {"_id": "feed"}) or {"last": 0}
    [ref] = await shared(region, 1)
    await region.numbered()

    class Killed(BaseException):
        """The process is gone."""

    async def die(_tx: Any) -> None:
        raise Killed

    engine = region.engine
    dying = TransactionManager(engine.db, engine.transaction, engine.ports, before_commit=[die])
    for _ in range(3):
        event_id = await region.tell_certified(ref, new_id())
        await region.handled(event_id)
        try:
            await number_changes(Runner(dying, region.runner().cause))
        except Killed:
            continue
    await region.numbered()
    entries = await region.db.find(
        "feed_entries", {"seq": {"$gt": head["last"]}}, sort=[("seq", 1)]
    )
    assert [entry["seq"] for entry in entries] == list(
        range(head["last"] + 1, head["last"] + 1 + len(entries))
    )
    assert len({entry["_id"] for entry in entries}) == len(entries)
    assert [entry["type"] for entry in entries if entry["subject_ref"] == ref] == [
        "candidate.shared",
        *["candidate.changed"] * 3,
    ]


@pytest.mark.scenario("MP-2/feed")
async def test_two_numberings_at_once_give_every_change_one_number(region: Region) -> None:
    refs = await shared(region, 6)
    await asyncio.gather(*(number_changes(region.runner()) for _ in range(4)))
    items, _ = await region.feed(region.dinas())
    assert sorted(item["subject"]["ref"] for item in items) == sorted(refs)
    assert len({item["seq"] for item in items}) == len(refs)


@pytest.mark.scenario("P7/repeatable", "P5/feed")
async def test_reading_a_cursor_again_gives_the_same_items_and_tombstones_for_what_left_the_scope(
    region: Region,
) -> None:
    dinas = region.dinas()
    start = (await region.feed(dinas))[1]
    stays, leaves = await shared(region, 2)
    first, _ = await region.feed(dinas, start)
    again, _ = await region.feed(dinas, start)
    assert first == again
    [consent] = (await done(region.officer().get(f"/v1/consents?candidate_id={leaves}")))["items"]
    await done(region.officer().post(f"/v1/consents/{consent['id']}/withdraw"))
    later, _ = await region.feed(dinas, start)
    assert told(later) == [
        ("candidate.shared", stays),
        ("candidate.withdrawn", leaves),
        ("candidate.withdrawn", leaves),
    ]
    assert [(item["seq"], item["event_id"]) for item in later[:2]] == [
        (item["seq"], item["event_id"]) for item in first
    ]
    assert [item["href"] for item in later] == [f"/v1/candidates/{stays}", None, None]
    assert (await region.feed(dinas, start))[0] == later


@pytest.mark.scenario("P7/too-old")
async def test_a_cursor_older_than_the_retention_is_410_and_the_snapshot_leads_back_to_the_feed(
    region: Region,
) -> None:
    dinas = region.dinas()
    old = (await region.feed(dinas))[1]
    refs = await shared(region, 3)
    await region.numbered()
    region.travel(utc_now() + RETENTION + timedelta(minutes=1))
    while await drop_old_entries(region.runner()):
        pass
    region.restore()
    problem = await refused(dinas.get(f"/v1/feed?after={old}"), 410, "feed_cursor_too_old")
    assert "/v1/snapshot" in problem["title"]
    refs += await shared(region, 1)
    await region.numbered()
    seen: list[str] = []
    cursor = ""
    while True:
        page = await done(
            dinas.get("/v1/snapshot?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        )
        seen += [item["subject"]["ref"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        if not cursor:
            refs += await shared(region, 1)
        cursor = page["next_cursor"]
    items, _ = await region.feed(dinas, page["feed_cursor"])
    assert sorted({*seen, *(item["subject"]["ref"] for item in items)}) == sorted(refs)
    assert told(items) == [("candidate.shared", refs[-1])]


async def test_waiting_for_more_answers_as_soon_as_there_is_some_and_empty_when_the_time_is_over(
    region: Region,
) -> None:
    [ref] = await shared(region, 1)
    dinas = region.dinas()
    cursor = (await region.feed(dinas))[1]
    loop = asyncio.get_running_loop()
    began = loop.time()
    empty = await done(dinas.get(f"/v1/feed?after={cursor}&wait=1"))
    assert (empty["items"], empty["has_more"]) == ([], False)
    assert 0.9 < loop.time() - began < 5
    waiting = asyncio.create_task(done(dinas.get(f"/v1/feed?after={empty['next_cursor']}&wait=25")))
    await region.tell_certified(ref, new_id())
    async with asyncio.timeout(15):
        assert told((await waiting)["items"]) == [("candidate.changed", ref)]
    await refused(dinas.get("/v1/feed?wait=26"), 422, "body_invalid")


async def test_a_long_poll_ends_at_once_when_the_process_is_told_to_end(region: Region) -> None:
    dinas = region.dinas()
    cursor = (await region.feed(dinas))[1]
    stopping = region.service.client.app.state.stopping
    waiting = asyncio.create_task(done(dinas.get(f"/v1/feed?after={cursor}&wait=25")))
    stopping.set()
    try:
        async with asyncio.timeout(5):
            assert (await waiting)["items"] == []
    finally:
        stopping.clear()


async def test_a_feed_is_read_from_a_moment_or_from_a_cursor_but_not_from_both(
    region: Region,
) -> None:
    dinas = region.dinas()
    await shared(region, 1)
    await region.numbered()
    moment = utc_now() + timedelta(milliseconds=5)
    [later] = await shared_after(region, moment)
    await region.numbered()
    query = moment.isoformat().replace("+00:00", "Z")
    assert told((await done(dinas.get(f"/v1/feed?from_time={query}")))["items"]) == [
        ("candidate.shared", later)
    ]
    cursor = (await region.feed(dinas))[1]
    await refused(
        dinas.get(f"/v1/feed?from_time={query}&after={cursor}"), 400, "from_time_or_cursor"
    )


async def shared_after(region: Region, moment: Any) -> list[str]:
    ref = await region.admitted()
    region.travel(moment)
    await region.consents(ref, fields=("skills",))
    region.restore()
    return [ref]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        rules.sign_cursor(1, b"o" * 32),
        rules.sign_cursor(1, KEY)[:-1] + "A",
        rules.sign_snapshot_cursor(rules.SnapshotCursor(1), KEY),
    ],
)
async def test_a_cursor_that_we_did_not_sign_for_the_feed_is_400(
    region: Region, cursor: str
) -> None:
    await refused(
        region.dinas().get("/v1/feed", params={"after": cursor}), 400, "feed_cursor_invalid"
    )


@pytest.mark.scenario("P7/too-old")
async def test_a_cursor_beyond_the_log_is_410_because_its_log_was_lost(region: Region) -> None:
    await refused(
        region.dinas().get("/v1/feed", params={"after": rules.sign_cursor(10**9, KEY)}),
        410,
        "feed_cursor_too_old",
    )


@pytest.mark.scenario("MP-1/rows")
async def test_a_consent_that_runs_out_is_told_as_withdrawn_by_the_job_and_shows_nothing_before_it(
    region: Region,
) -> None:
    ref = await region.admitted()
    await region.consents(ref, fields=("skills",), days=1)
    dinas = region.dinas()
    cursor = (await region.feed(dinas))[1]
    region.travel(utc_now() + timedelta(days=2))
    assert (await done(dinas.get("/v1/snapshot")))["items"] == []
    assert not await end_expired_consents(region.runner())
    items, _ = await region.feed(dinas, cursor)
    assert told(items) == [("candidate.withdrawn", ref)]
    assert (await region.db.find_one("consents", {"candidate_id": ref}))["ending"] == "expired"


async def test_what_an_outside_reader_cannot_see_makes_no_item(region: Region) -> None:
    [ref] = await shared(region, 1)
    cursor = (await region.feed(region.dinas()))[1]
    await region.handled(await region.tell_released(ref, kind="unheard_of"))
    body = {
        "participant_ref": ref,
        "from_facility_id": region.facility,
        "to_facility_id": region.facility,
        "effective_on": "2026-11-20",
        "as_of": utc_now().isoformat(),
    }
    await region.handled(await region.tell("training.participant-transferred.v1", ref, body))
    assert (await region.feed(region.dinas(), cursor))[0] == []
