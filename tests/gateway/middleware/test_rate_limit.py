"""The rate limit, alone and over replicas."""

from __future__ import annotations

import pytest
from limits import parse
from limits.aio.strategies import FixedWindowRateLimiter

from chassis.persistence.mongo import Mongo
from gateway.middleware.rate_windows import COLLECTION, INDEXES, SWEEP_SECONDS, RateWindows
from gateway.request_context import group_address
from tests.gateway.harness import GatewayHarness


async def test_a_subject_over_its_rate_is_429_and_others_are_not(harness: GatewayHarness) -> None:
    one = harness.bearer(subject="one")
    other = harness.bearer(subject="other")
    responses = [await harness.ask("GET", "/v1/rare", headers=one) for _ in range(4)]
    assert [answer.status for answer in responses] == [200, 200, 200, 429]
    assert responses[0].headers["ratelimit-policy"] == '"route";q=3;w=60'
    assert responses[0].headers["ratelimit"].startswith('"route";r=2;t=')
    assert 1 <= int(responses[3].headers["retry-after"]) <= 60
    assert (await harness.ask("GET", "/v1/rare", headers=other)).status == 200
    assert (await harness.ask("GET", "/v1/classes", headers=one)).status == 200


async def test_the_next_window_begins_when_the_first_has_ended() -> None:
    now = [1_000.0]
    windows = RateWindows(lambda: now[0])
    assert [await windows.incr("a", 60) for _ in range(2)] == [1, 2]
    assert await windows.get_expiry("a") == 1_060
    now[0] += 59
    assert await windows.incr("a", 60) == 3
    now[0] += 1
    assert await windows.get("a") == 0
    assert await windows.incr("a", 60) == 1


async def test_windows_that_are_over_are_forgotten() -> None:
    now = [1_000.0]
    windows = RateWindows(lambda: now[0])
    await windows.incr("a", 60)
    now[0] += SWEEP_SECONDS + 1
    await windows.incr("b", 60)
    assert await windows.reset() == 1


async def test_replicas_count_together_and_alone_without_the_database(
    mongo_url: str, database: str
) -> None:
    now = [1_000.0]
    db = Mongo(mongo_url, database)
    await db.ensure_collection(COLLECTION, None, INDEXES, await db.collections())
    here, there = (RateWindows(lambda: now[0], replica) for replica in ("0", "1"))
    for _ in range(6):
        await here.incr("one", 60)
    now[0] += 10  # the window of the other replica begins later
    for _ in range(3):
        assert await there.incr("one", 60) <= 3
    await there.incr("other", 60)
    await here.synchronise(db)
    await there.synchronise(db)
    assert await there.incr("one", 60) == 10
    assert await there.incr("other", 60) == 2, "others are not counted with it"
    await there.synchronise(db)
    assert await here.incr("one", 60) == 7, "what it learns is as old as its last exchange"
    await here.synchronise(db)
    assert await here.incr("one", 60) == 12
    rows = await db.find(COLLECTION, {})
    assert len(rows) == 2
    assert "one" not in str(rows), "subjects and addresses are not stored"
    now[0] += 55  # the window of this replica is over, that of the other is not
    for count in (1, 2, 3):
        assert await here.incr("one", 60) == count
    await here.synchronise(db)
    assert await here.incr("one", 60) == 8
    await db.drop()
    await db.close()
    with pytest.raises(Exception, match="close"):
        await here.synchronise(db)
    assert await here.incr("one", 60) == 9


async def test_a_small_limit_is_exceeded_by_one_per_other_replica(
    mongo_url: str, database: str
) -> None:
    """Three replicas in turn, with an exchange after each request."""
    limit = parse("6/minute")
    db = Mongo(mongo_url, database)
    await db.ensure_collection(COLLECTION, None, INDEXES, await db.collections())
    replicas = [RateWindows(lambda: 1_000.0, str(number)) for number in range(3)]
    limiters = [FixedWindowRateLimiter(windows) for windows in replicas]
    accepted = 0
    for _ in range(5):
        for limiter in limiters:
            accepted += await limiter.hit(limit, "officer", "GET /v1/exports")
            for windows in replicas:
                await windows.synchronise(db)
    await db.drop()
    await db.close()
    assert 6 <= accepted <= 6 + len(replicas) - 1


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_a_client_with_a_network_of_addresses_is_counted_once(address: str, counted: str) -> None:
    assert group_address(address) == counted
