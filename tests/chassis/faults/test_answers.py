"""What a caller is answered while MongoDB fails."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from chassis.persistence import transactions
from tests.chassis.faults.conftest import Faults
from tests.chassis.harness import Harness


def new_jar() -> dict[str, str]:
    return {"id": new_id(), "owner_ref": "x", "room": "north"}


@pytest.fixture
def shop(harness: Harness) -> Any:
    return harness.client.as_("officer", facility="*")


@pytest.mark.parametrize("command", ["find", "insert", "commitTransaction"])
@pytest.mark.parametrize("code", [91, 11602, 262])
async def test_a_command_is_503_while_the_server_is_away(
    shop: Any, faults: Faults, command: str, code: int
) -> None:
    with faults.failing(command, app="shop", errorCode=code):
        answer = await shop.post(
            "/v1/jars",
            json=new_jar(),
            headers={"idempotency-key": new_id(), "x-request-deadline": "1"},
        )
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_read_outside_a_transaction_is_503_while_the_server_is_away(
    shop: Any, faults: Faults
) -> None:
    with faults.failing("find", app="shop", closeConnection=True):
        answer = await shop.get("/v1/operations/shop/outbox")
    assert answer.status_code == 503, answer.text


@pytest.mark.parametrize("code", [2, 14, 59])
async def test_a_defect_stays_a_500(shop: Any, faults: Faults, code: int) -> None:
    with faults.failing("insert", app="shop", errorCode=code):
        answer = await shop.post("/v1/jars", json=new_jar())
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")


async def test_a_transaction_too_large_for_the_cache_is_413(shop: Any, faults: Faults) -> None:
    with faults.failing("insert", app="shop", errorCode=388):
        answer = await shop.post("/v1/jars", json=new_jar())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_command_beyond_the_bounds_of_a_transaction_is_413(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "MAX_WRITES", 0)
    answer = await shop.post("/v1/jars", json=new_jar())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_value_that_no_document_can_hold_is_422(shop: Any) -> None:
    answer = await shop.post("/v1/jars", json=new_jar() | {"label": "x" * 17_000_000})
    assert (answer.status_code, answer.json()["code"]) == (422, "value_unfit")
