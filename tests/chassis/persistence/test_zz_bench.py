import asyncio, time, pytest
from chassis.persistence.mongo import Mongo, updating
@pytest.mark.parametrize("driver", ["motor", "pymongo"])
async def test_cpu(mongo_url: str, driver) -> None:
    from chassis.persistence import pool_metrics
    import os
    if os.environ.get("POOL"): pool_metrics.watch()
    db = Mongo(mongo_url, "zzbench", driver)
    await db.drop()
    for c in "abcd":
        await db.insert(c, [{"_id": str(i), "v": 1} for i in range(100)])
    async def work(n):
        async def body(session):
            await db.find("a", {"_id": str(n % 100)}, session=session)
            await db.find("b", {"_id": {"$in": [str(n % 100)]}}, session=session)
            await db.write({"a": [updating(str(n % 100), {"$inc": {"v": 1}})], "b": [{"_id": f"x{n}"}], "c": [{"_id": f"x{n}"}], "d": [{"_id": f"x{n}"}]}, session=session)
        await db.transact(body)
    for n in range(100): await work(n)
    c, t = time.process_time(), time.perf_counter()
    import cProfile, pstats
    pr = cProfile.Profile() if os.environ.get("PROF") else None
    if pr: pr.enable()
    for n in range(100, 600): await work(n)
    if pr:
        pr.disable()
        pstats.Stats(pr).sort_stats("tottime").print_stats(32)
    print(driver, "cpu us/tx", round((time.process_time() - c) / 500 * 1e6), "wall", round((time.perf_counter() - t) / 500 * 1e6))
    await db.drop()
    await db.close()
