"""Events while MongoDB fails: only what an event itself causes parks it."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from chassis.messaging import batch_processor
from tests.chassis.faults.conftest import Faults
from tests.chassis.harness import Harness


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_processor, "MONGO_AWAY_SECONDS", 0.05)


async def test_an_event_whose_query_the_server_refuses_is_parked_alone(harness: Harness) -> None:
    owners = [new_id() for _ in range(4)]
    async with harness.one_batch():
        bad = await harness.tell("asked", owners[0], owner_ref=owners[0], what="bad query")
        for owner in owners[1:]:
            await harness.tell("asked", owner, owner_ref=owner, what="sound")
    await harness.becomes(lambda: harness.state(bad), "parked", seconds=60)
    for owner in owners[1:]:
        await harness.becomes(lambda owner=owner: harness.texts(owner), ["sound"], seconds=60)
    head = await harness.db.find_one("inbox", {"_id": bad})
    assert head is not None
    assert head["reason"] == "OperationFailure"


@pytest.mark.parametrize("how", [{"closeConnection": True}, {"errorCode": 262}])
async def test_no_event_is_parked_while_mongodb_is_away(
    harness: Harness, faults: Faults, how: dict[str, object]
) -> None:
    owner = new_id()
    with faults.failing("insert", times=12, app="shop", **how):
        told = await harness.tell("asked", owner, owner_ref=owner, what="sound")
        await harness.becomes(lambda: harness.texts(owner), ["sound"], seconds=60)
    assert await harness.state(told) == "done"
