"""Routes of consumers: suspension refuses reads and keeps the cursor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest

from services.manpower.candidates import usecases as candidates
from services.manpower.candidates.skills import SourceOrder, WorkMonth
from services.manpower.transaction import Transaction
from tests.fakes import AsgiClient
from tests.manpower.harness import Json, RegionHarness, done, refused

OUTSIDE_READS = (
    "/v1/feed",
    "/v1/snapshot",
    "/v1/candidates",
    "/v1/job-applications",
    "/v1/placements",
    "/v1/vacancies",
    "/v1/agencies",
)


@pytest.mark.scenario("MP-2/suspended")
async def test_a_suspended_consumer_is_refused_and_later_continues_its_feed(
    region: RegionHarness,
) -> None:
    """A caller of the same agency who is no credential of the consumer still reads."""
    credential = f"machine-{region.tag}"
    consumer = await region.active_consumer(credential)
    machine = region.dinas(subject=credential)
    refs = [await region.admitted() for _ in range(3)]
    await region.consents(refs[0], fields=("skills",))
    before, cursor = await region.feed(machine)
    administrator = region.administrator()
    await done(region.change(administrator, f"{consumer}/suspend", json={"reason": "insiden"}))
    for path in (*OUTSIDE_READS, f"/v1/feed?after={cursor}", f"/v1/candidates/{refs[0]}"):
        await refused(machine.get(path), 403, "consumer_suspended")
    assert (await region.dinas().get("/v1/candidates")).status_code == 200
    for ref in refs[1:]:
        await region.consents(ref, fields=("skills",))
    await done(region.change(administrator, f"{consumer}/resume"))
    after, _ = await region.feed(machine, cursor)
    assert [item["subject"]["ref"] for item in before] == refs[:1]
    assert [item["subject"]["ref"] for item in after] == refs[1:]


async def test_a_change_of_a_consumer_needs_if_match_with_its_version(
    region: RegionHarness,
) -> None:
    consumer = await region.active_consumer(f"machine-{region.tag}")
    administrator = region.administrator()
    path = f"{consumer}/suspend"
    body = {"reason": "coba"}
    await refused(administrator.post(path, json=body), 428, "version_required")
    stale = administrator.post(path, json=body, headers={"if-match": '"1"'})
    await refused(stale, 412, "version_differs")


async def test_another_prison_reads_a_consumer_and_changes_nothing_of_it(
    region: RegionHarness,
) -> None:
    path = await region.active_consumer(f"machine-{region.tag}")
    stranger = region.administrator("administrator-9", "LP-EVIL")
    assert (await done(stranger.get(path)))["owner"] == region.facility
    body = {"reason": "karena bisa"}
    for verb in ("approve", "suspend", "resume", "close"):
        attempt = region.change(stranger, f"{path}/{verb}", json=body)
        await refused(attempt, 404, "consumer_unknown")
    form = region.consumer_form(region.dinas_id, "dinas_placement")
    await refused(stranger.post("/v1/consumers", json=form), 404, "agency_unknown")


ROUNDS = 50
PEOPLE = 20


@pytest.mark.timeout(600)
@pytest.mark.scenario("P6/api-and-feed", "MP-2/suspended")
async def test_a_consumer_suspended_during_traffic_misses_none_of_1000_changes(
    region: RegionHarness,
) -> None:
    """It reads all the time; the changes of 50 rounds come before, during and after."""
    credential = f"machine-{region.tag}"
    path = await region.active_consumer(credential)
    refs = await region.shared(PEOPLE)
    machine = region.dinas(subject=credential)
    _, start = await region.feed(machine)
    reader = FeedReader(machine, start)
    administrator = region.administrator()
    reading = asyncio.create_task(reader.read_until_stopped())
    read_before = 0
    for number in range(ROUNDS):
        if number == ROUNDS // 5:
            body = {"reason": "insiden"}
            await done(region.change(administrator, f"{path}/suspend", json=body))
            await refused(machine.get("/v1/feed"), 403, "consumer_suspended")
            read_before = len(reader.items)
        await region.as_service(partial(record_month, refs, number))
        if number == ROUNDS - ROUNDS // 5:
            await refused(machine.get("/v1/feed"), 403, "consumer_suspended")
            await done(region.change(administrator, f"{path}/resume"))
    await region.numbered()
    reader.is_stopped = True
    await reading
    assert reader.refusals > 0
    assert read_before < len(reader.items)
    numbers = [item["seq"] for item in reader.items]
    assert numbers == sorted(set(numbers))
    versions: dict[str, list[int]] = {ref: [] for ref in refs}
    for item in reader.items:
        versions[item["subject"]["ref"]].append(item["version"])
    for ref in refs:
        first = versions[ref][0]
        assert versions[ref] == list(range(first, first + ROUNDS))


@dataclass
class FeedReader:
    """Reads a feed from its cursor, again and again, also while it is refused."""

    client: AsgiClient
    cursor: str
    items: list[Json] = field(default_factory=list[Json])
    refusals: int = 0
    is_stopped: bool = False

    async def read_until_stopped(self) -> None:
        """Read until it is stopped and has read everything."""
        while True:
            was_stopped = self.is_stopped
            answer = await self.client.get(f"/v1/feed?limit=100&after={self.cursor}")
            if answer.status_code != 200:
                self.refusals += answer.status_code == 403
                await asyncio.sleep(0.1)
                continue
            page = answer.json()
            self.items += page["items"]
            self.cursor = page["next_cursor"]
            if was_stopped and not page["has_more"]:
                return
            await asyncio.sleep(0.1)


async def record_month(refs: list[str], number: int, tx: Transaction) -> None:
    """Record one more month of work of each of these people: one change each."""
    for ref in refs:
        entry = WorkMonth(
            workshop_id=f"w-{number}",
            month="2026-10",
            unit_kind="hour",
            units_total=1,
            told=SourceOrder(at=tx.now, sequence=1),
        )
        await candidates.record_work(ref, entry, tx)
