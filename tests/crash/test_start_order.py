"""A service that starts before its broker.

It answers commands at once, names the missing broker, and publishes once the broker runs.
"""

from __future__ import annotations

from pathlib import Path

from chassis.ids import new_id
from ops.local import kafka_broker, platform_checks, processes
from tests.chassis.harness import added, runner
from tests.chassis.sample_service import Jar, ShopSettings, create_app
from tests.fakes import AsgiClient, Keys, eventually


async def test_a_service_started_before_kafka_publishes_when_kafka_comes(
    tmp_path: Path, mongo_url: str, database: str
) -> None:
    port, controller = platform_checks.find_free_ports(2)
    keys = Keys.make(tmp_path, ("gateway", "shop"))
    settings = ShopSettings(
        **keys.settings(
            "shop",
            mongo_url=mongo_url,
            database=database,
            kafka=f"{platform_checks.LOOPBACK}:{port}",
        )
    )
    app = create_app(settings)
    life = app.state.life
    jar = Jar(id=new_id(), owner_ref=new_id(), room="north")
    async with app.router.lifespan_context(app):
        client = AsgiClient(app, keys, "shop")
        await life.prepared.wait()
        await runner(life.db)(lambda tx: added(tx, jar))
        filled = await client.as_("keeper", facility="*").post(
            f"/v1/jars/{jar.id}/fillings", json={"marbles": 2}
        )
        assert filled.status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["missing"]) == (503, ["kafka"])
        assert await life.db.count("outbox", {"sent": False, "key": jar.owner_ref}) == 1
        server = await kafka_broker.start(
            tmp_path / "kafka", port, controller, tmp_path / "kafka.log"
        )
        try:

            async def report() -> bool:
                return (
                    not await life.db.count("outbox", {"sent": False})
                    and (await client.get("/readyz")).status_code == 200
                )

            await eventually(report, seconds=40)
        finally:
            processes.end(server.process)
