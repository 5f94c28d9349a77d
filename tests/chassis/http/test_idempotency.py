"""Idempotency keys on real MongoDB: each transaction of a request takes effect once."""

from chassis.http.idempotency import IdempotencyKey, RequestRunner
from chassis.ids import new_id
from chassis.persistence.mongo import Mongo
from tests.chassis.harness import added, runner
from tests.chassis.sample_service import Jar, fill_jar


async def test_the_second_transaction_of_a_request_is_no_repeat_of_its_first(
    db: Mongo,
) -> None:
    jar = await runner(db)(lambda tx: added(tx, Jar(id=new_id(), owner_ref="x", room="north")))
    key = IdempotencyKey.of("me", "POST", "/v1/x", "key", b"")
    for _ in range(2):
        run = RequestRunner(runner(db).engine, runner(db).cause, key=key)
        await run(lambda tx: fill_jar(jar.id, 1, tx))
        await run(lambda tx: fill_jar(jar.id, 2, tx))
    assert (await db.find("jars", {"_id": jar.id}))[0]["marbles"] == 3
