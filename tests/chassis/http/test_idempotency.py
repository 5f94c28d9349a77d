"""Idempotency keys on real MongoDB: whose they are, and that each takes effect once."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chassis.app.database_setup import IDEMPOTENCY_SECONDS
from chassis.caller import Caller
from chassis.errors import KeyReused, NotFound
from chassis.http.idempotency import COLLECTION, IdempotencyKey, RequestRunner, StoredResultGone
from chassis.ids import new_id
from chassis.persistence.mongo import Mongo
from chassis.persistence.unit_of_work import OperationContext
from tests.chassis.harness import Harness, added, runner
from tests.chassis.sample_service import Jar, JarUnknown, Transaction, fill_jar
from tests.fakes import AsgiClient

OFFICER = Caller(subject="me", role="officer", claims={"facility": frozenset({"north"})})
OTHERS: dict[str, dict[str, Any]] = {
    "subject": {"subject": "another"},
    "role": {"role": "head"},
    "claims": {"claims": {"facility": frozenset({"north", "south"})}},
}


def key_of(caller: Caller = OFFICER, **more: Any) -> IdempotencyKey:
    return IdempotencyKey.of(caller, "POST", "/v1/jars/{id}", "k", **more)


def run_as(db: Mongo, caller: Caller, key: IdempotencyKey) -> RequestRunner[Any]:
    context = OperationContext(caller=caller, correlation_id=new_id())
    return RequestRunner(runner(db).engine, context, key=key)


async def make(room: str, tx: Transaction) -> Jar:
    jar = Jar(id=new_id(), owner_ref="x", room=room)
    return tx.jars.add(jar, scoped=False)


async def move(jar_id: str, tx: Transaction) -> None:
    jar = await tx.jars.get(jar_id)
    tx.jars.save(jar, replace(jar, room="south"))


async def drop(jar_id: str, tx: Transaction) -> None:
    tx.jars.remove(await tx.jars.get(jar_id))


@pytest.mark.parametrize("difference", OTHERS)
async def test_a_key_is_not_shared_by_two_callers(db: Mongo, difference: str) -> None:
    other = replace(OFFICER, **OTHERS[difference])
    first = await run_as(db, OFFICER, key_of())(partial(make, "north"))
    second = await run_as(db, other, key_of(other))(partial(make, "north"))
    again = await run_as(db, OFFICER, key_of())(partial(make, "north"))
    assert (first.id == second.id, first.id == again.id) == (False, True)


@pytest.mark.parametrize("holder", ["token a", "path /v1/carts/a", "address 192.0.2.1"])
def test_anonymous_callers_are_distinguished_by_what_they_hold(holder: str) -> None:
    assert key_of(holder=holder).id == key_of(holder=holder).id
    assert key_of(holder=holder).id != key_of(holder=f"{holder}2").id


@pytest.mark.parametrize("changed", [{"path": "/v1/jars/b"}, {"body": b"{}"}])
async def test_a_key_with_another_path_or_body_is_refused(
    db: Mongo, changed: dict[str, Any]
) -> None:
    command = partial(make, "north")
    request: dict[str, Any] = {"path": "/v1/jars/a", "body": b"[]"}
    await run_as(db, OFFICER, key_of(**request))(command)
    with pytest.raises(KeyReused):
        await run_as(db, OFFICER, key_of(**(request | changed)))(command)


async def test_a_repeat_does_not_show_what_has_left_the_callers_scope(db: Mongo) -> None:
    jar = await run_as(db, OFFICER, key_of())(partial(make, "north"))
    await runner(db)(partial(move, jar.id))
    with pytest.raises(NotFound) as refusal:
        await run_as(db, OFFICER, key_of())(partial(make, "north"))
    assert isinstance(refusal.value, JarUnknown)


async def test_a_repeat_shows_what_was_made_outside_the_callers_scope(db: Mongo) -> None:
    jar = await run_as(db, OFFICER, key_of())(partial(make, "south"))
    again = await run_as(db, OFFICER, key_of())(partial(make, "south"))
    assert again.id == jar.id


async def test_a_repeat_of_what_was_removed_is_a_conflict(db: Mongo) -> None:
    jar = await run_as(db, OFFICER, key_of())(partial(make, "north"))
    await runner(db)(partial(drop, jar.id))
    with pytest.raises(StoredResultGone):
        await run_as(db, OFFICER, key_of())(partial(make, "north"))


async def test_the_second_transaction_of_a_request_is_no_repeat_of_its_first(
    db: Mongo,
) -> None:
    jar = await runner(db)(lambda tx: added(tx, Jar(id=new_id(), owner_ref="x", room="north")))
    for _ in range(2):
        run = RequestRunner(runner(db).engine, runner(db).cause, key=key_of())
        await run(lambda tx: fill_jar(jar.id, 1, tx))
        await run(lambda tx: fill_jar(jar.id, 2, tx))
    assert (await db.find("jars", {"_id": jar.id}))[0]["marbles"] == 3


async def test_mongodb_removes_a_key_after_seven_days(db: Mongo) -> None:
    [index] = [
        index
        for index in await db.aggregate(COLLECTION, [{"$indexStats": {}}])
        if index["key"] == {"at": 1}
    ]
    assert index["spec"]["expireAfterSeconds"] == IDEMPOTENCY_SECONDS == 7 * 24 * 60 * 60


async def test_two_anonymous_callers_of_one_address_and_key_share_a_result(
    harness: Harness,
) -> None:
    """Another address, order or path is another holder."""
    public = Caller(
        subject="public",
        role="public",
        permissions=harness.client.caller.permissions,
        claims={"facility": frozenset({"*"})},
    )
    client = AsgiClient(harness.client.app, harness.client.keys, "shop", public)

    async def post(headers: dict[str, str], *, token: str = "") -> int:
        body = {"id": new_id(), "owner_ref": "x", "room": "north"}
        answer = await client.post(
            f"/v1/jars?token={token}" if token else "/v1/jars",
            json=body,
            headers={"idempotency-key": "1", **headers},
        )
        return answer.status_code

    here = {"x-client-address": "192.0.2.1"}
    assert await post(here) == 201
    assert await post(here) == 409  # the key was used for another body
    assert await post({"x-client-address": "192.0.2.2"}) == 201
    assert await post(here | {"order-token": "secret"}) == 201
    assert await post(here, token="other secret") == 201
    assert await post(here, token="secret") == 409
