"""The feed on the wire: items, tombstones, cursors, waiting and the snapshot."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chassis.ids import utc_now
from services.manpower.consents.usecases import end_expired_consents
from services.manpower.feed.rules import RETENTION
from services.manpower.feed.usecases import drop_old_entries
from tests.manpower.fakes import iso
from tests.manpower.harness import Json, RegionHarness, done, refused


def changes(items: list[Json]) -> list[tuple[str, str]]:
    return [(item["type"], item["subject"]["ref"]) for item in items]


async def test_an_item_has_no_content_but_an_href_to_it(region: RegionHarness) -> None:
    [ref] = await region.shared(1)
    [item], _ = await region.feed(region.dinas())
    assert item.keys() == {"seq", "event_id", "type", "occurred_at", "subject", "href", "version"}
    assert (item["type"], item["href"]) == ("candidate.shared", f"/v1/candidates/{ref}")
    assert item["subject"] == {"kind": "candidate", "ref": ref}
    assert (await done(region.dinas().get(item["href"])))["id"] == ref


@pytest.mark.scenario("P7/repeatable", "P5/feed")
async def test_reading_a_cursor_twice_gives_the_same_items_and_new_tombstones(
    region: RegionHarness,
) -> None:
    """A subject that left the scope in between is a tombstone in the second read."""
    dinas = region.dinas()
    _, start = await region.feed(dinas)
    staying, leaving = await region.shared(2)
    first, _ = await region.feed(dinas, start)
    second, _ = await region.feed(dinas, start)
    assert first == second
    path = f"/v1/consents?candidate_id={leaving}"
    [consent] = (await done(region.officer().get(path)))["items"]
    await done(region.change(region.officer(), f"/v1/consents/{consent['id']}/withdraw"))
    third, _ = await region.feed(dinas, start)
    assert changes(third) == [
        ("candidate.shared", staying),
        ("candidate.withdrawn", leaving),
        ("candidate.withdrawn", leaving),
    ]
    numbers = [(item["seq"], item["event_id"]) for item in third]
    assert numbers[:2] == [(item["seq"], item["event_id"]) for item in first]
    assert [item["href"] for item in third] == [f"/v1/candidates/{staying}", None, None]
    assert (await region.feed(dinas, start))[0] == third


async def drop_all_entries(region: RegionHarness) -> None:
    """Drop the log as the job does after the retention."""
    region.travel(utc_now() + RETENTION + timedelta(minutes=1))
    while await drop_old_entries(region.runner()):
        pass
    region.restore()


@pytest.mark.scenario("P7/too-old")
async def test_a_cursor_past_the_retention_is_410_and_the_snapshot_leads_back(
    region: RegionHarness,
) -> None:
    """A person who is shared while the snapshot is read follows in the feed."""
    dinas = region.dinas()
    _, old_cursor = await region.feed(dinas)
    refs = await region.shared(3)
    await region.numbered()
    await drop_all_entries(region)
    too_old = dinas.get(f"/v1/feed?after={old_cursor}")
    problem = await refused(too_old, 410, "feed_cursor_too_old")
    assert "/v1/snapshot" in problem["title"]
    refs += await region.shared(1)
    await region.numbered()
    page = await done(dinas.get("/v1/snapshot?limit=2"))
    snapshot_refs = [item["subject"]["ref"] for item in page["items"]]
    [late_ref] = await region.shared(1)
    while page["next_cursor"] is not None:
        page = await done(dinas.get(f"/v1/snapshot?limit=2&cursor={page['next_cursor']}"))
        snapshot_refs += [item["subject"]["ref"] for item in page["items"]]
    items, _ = await region.feed(dinas, page["feed_cursor"])
    assert changes(items) == [("candidate.shared", late_ref)]
    assert {*snapshot_refs, late_ref} == {*refs, late_ref}
    assert set(refs) <= set(snapshot_refs)


async def test_a_waiting_read_answers_at_the_first_item_or_after_its_time(
    region: RegionHarness,
) -> None:
    [ref] = await region.shared(1)
    dinas = region.dinas()
    _, cursor = await region.feed(dinas)
    loop = asyncio.get_running_loop()
    began = loop.time()
    empty = await done(dinas.get(f"/v1/feed?after={cursor}&wait=1"))
    assert (empty["items"], empty["has_more"]) == ([], False)
    assert 0.9 < loop.time() - began < 5
    waiting = asyncio.create_task(done(dinas.get(f"/v1/feed?after={empty['next_cursor']}&wait=25")))
    await region.publish_certificate(ref, "certificate-1")
    async with asyncio.timeout(15):
        assert changes((await waiting)["items"]) == [("candidate.changed", ref)]


async def test_a_read_that_waits_too_long_is_refused(region: RegionHarness) -> None:
    await refused(region.dinas().get("/v1/feed?wait=26"), 422, "body_invalid")


async def test_a_waiting_read_ends_at_once_when_the_process_stops(region: RegionHarness) -> None:
    dinas = region.dinas()
    _, cursor = await region.feed(dinas)
    stopping = region.service.client.app.state.stopping
    waiting = asyncio.create_task(done(dinas.get(f"/v1/feed?after={cursor}&wait=25")))
    stopping.set()
    try:
        async with asyncio.timeout(5):
            assert (await waiting)["items"] == []
    finally:
        stopping.clear()


async def test_a_feed_is_read_from_a_moment_or_from_a_cursor_but_not_from_both(
    region: RegionHarness,
) -> None:
    dinas = region.dinas()
    await region.shared(1)
    await region.numbered()
    moment = utc_now() + timedelta(milliseconds=5)
    later = await region.admitted()
    region.travel(moment)
    await region.consents(later, fields=("skills",))
    region.restore()
    await region.numbered()
    from_moment = f"/v1/feed?from_time={iso(moment)}"
    page = await done(dinas.get(from_moment))
    assert changes(page["items"]) == [("candidate.shared", later)]
    _, cursor = await region.feed(dinas)
    await refused(dinas.get(f"{from_moment}&after={cursor}"), 400, "from_time_or_cursor")


async def test_a_cursor_that_was_not_signed_for_the_feed_is_422(region: RegionHarness) -> None:
    await region.shared(2)
    dinas = region.dinas()
    _, cursor = await region.feed(dinas)
    page = await done(dinas.get("/v1/snapshot", params={"limit": 1}))
    for foreign in ("x", cursor[:-1], page["next_cursor"]):
        read = dinas.get("/v1/feed", params={"after": foreign})
        problem = await refused(read, 422, "cursor_invalid")
        assert problem["field"] == "after"
    problem = await refused(
        dinas.get("/v1/snapshot", params={"cursor": cursor}), 422, "cursor_invalid"
    )
    assert problem["field"] == "cursor"


@pytest.mark.scenario("P7/too-old")
async def test_a_cursor_beyond_the_log_is_410_because_its_log_was_lost(
    region: RegionHarness,
) -> None:
    cursor = region.service.client.app.state.life.cursors.sign("feed", [10**9])
    read = region.dinas().get("/v1/feed", params={"after": cursor})
    await refused(read, 410, "feed_cursor_too_old")


@pytest.mark.scenario("MP-1/rows")
async def test_an_expired_consent_shows_nothing_before_the_job_ends_it(
    region: RegionHarness,
) -> None:
    """Then the feed reports it as withdrawn."""
    ref = await region.admitted()
    await region.consents(ref, fields=("skills",), days=1)
    dinas = region.dinas()
    _, cursor = await region.feed(dinas)
    region.travel(utc_now() + timedelta(days=2))
    assert (await done(dinas.get("/v1/snapshot")))["items"] == []
    assert not await end_expired_consents(region.runner())
    items, _ = await region.feed(dinas, cursor)
    assert changes(items) == [("candidate.withdrawn", ref)]
    assert (await region.db.find_one("consents", {"candidate_id": ref}))["ending"] == "expired"


async def test_what_an_outside_reader_cannot_see_makes_no_item(region: RegionHarness) -> None:
    [ref] = await region.shared(1)
    _, cursor = await region.feed(region.dinas())
    await region.handled(await region.publish_release(ref, kind="unheard_of"))
    await region.handled(await region.publish_transfer(ref, region.facility))
    items, _ = await region.feed(region.dinas(), cursor)
    assert items == []
