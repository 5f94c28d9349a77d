"""The exporters: their versions, users and networks, and what Prometheus scrapes of them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaConsumer

from chassis.messaging.kafka_ports import BrokerAccess
from chassis.persistence.mongo import MongoError
from ops.docs import metrics
from ops.local import kafka_admin, kafka_permissions, mongo_users
from ops.local.state_dir import ROOT
from tests.deploy.test_kafka_users import SecuredBroker, reads, secured, writes

__all__ = ["secured"]  # a fixture

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
EXPORTERS = {it.job: it for it in metrics.read_exporters()}
DENIED = 13  # MongoDB's code
TOPIC = "training.events"


def container(job: str) -> dict[str, Any]:
    return COMPOSE[f"{job}-exporter"]


def images(job: str) -> set[str]:
    """Return the image of an exporter, or those that its own Dockerfile begins with."""
    build = container(job).get("build")
    if build is None:
        return {container(job)["image"]}
    return set(re.findall(r"^FROM (\S+)", (ROOT / build["dockerfile"]).read_text(), re.MULTILINE))


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS)
def test_compose_runs_the_version_whose_metrics_are_listed(exporter: metrics.Exporter) -> None:
    assert f"{exporter.image}:{exporter.version}" in images(exporter.job)
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in images(exporter.job))
    assert container(exporter.job)["profiles"] == ["exporters"]


def test_an_exporter_reaches_only_its_server_and_prometheus() -> None:
    assert {job: set(container(job)["networks"]) for job in EXPORTERS} == {
        "mongodb": {"metrics", "mongo"},
        "kafka": {"kafka", "metrics"},
        "node": {"metrics"},
        "tls": {"dashboards", "metrics"},
    }
    assert [job for job in EXPORTERS if "ports" in container(job)] == []
    secret = {
        job
        for job in EXPORTERS
        if "exporter-secrets:/secrets:ro" in container(job).get("volumes", ())
    }
    assert secret == {"mongodb", "kafka"}


def test_prometheus_scrapes_each_exporter_under_its_job_and_region() -> None:
    scraped = {it["job_name"]: it for it in PROMETHEUS["scrape_configs"]}
    assert scraped.keys() - {"bina"} == EXPORTERS.keys()
    for job in EXPORTERS.keys() - {"tls"}:
        [names] = scraped[job]["dns_sd_configs"]
        assert names["names"] == [f"{job}-exporter"]
        assert f":{names['port']}/" in container(job)["healthcheck"]["test"][-1]
        targets = [it["target_label"] for it in scraped[job]["relabel_configs"]]
        assert targets == ["instance", "region"]
    [tls_files] = scraped["tls"]["file_sd_configs"]
    mounts = [volume.rpartition(":ro")[0] for volume in COMPOSE["prometheus"]["volumes"]]
    assert [mount for mount in mounts if mount.endswith(f":{tls_files['files'][0]}")]
    assert yaml.safe_load((ROOT / "deploy/compose/tls-targets.yml").read_text()) == []
    modules = yaml.safe_load((ROOT / "deploy/compose/tls.yml").read_text())["modules"]
    assert set(scraped["tls"]["params"]["module"]) <= modules.keys()


@pytest.fixture
async def exporter_url(mongo_url: str) -> AsyncGenerator[str]:
    yield await mongo_users.make_exporter_user(mongo_url, "secret")
    async with mongo_users.open_admin_database(mongo_url) as mongo:
        await mongo.client["admin"].command("dropUser", mongo_users.EXPORTER_USER)
        await mongo.client["admin"].command("dropRole", mongo_users.EXPORTER_USER)


async def test_the_user_of_the_exporter_sees_members_and_no_document(exporter_url: str) -> None:
    async with mongo_users.open_admin_database(exporter_url) as mongo:
        status = await mongo.client["admin"].command("replSetGetStatus")
        assert [member["health"] for member in status["members"]] == [1]
        await mongo.client["admin"].command("replSetGetConfig")
        await mongo.client["admin"].command("getCmdLineOpts")
        for database in ("training", "admin", "local"):
            with pytest.raises(MongoError) as refused:
                await mongo.client[database].command("listCollections")
            assert getattr(refused.value, "code", None) == DENIED
        with pytest.raises(MongoError):
            await mongo.client["training"].command("find", "audit")


async def test_the_exporter_describes_topics_and_reads_no_record(secured: SecuredBroker) -> None:
    await kafka_admin.make_exporter(secured.administrator, "seen")
    exporter = BrokerAccess(secured.bootstrap, kafka_permissions.EXPORTER, "seen")
    assert await described(exporter.options(), TOPIC)
    assert not await reads(exporter, TOPIC)
    assert not await writes(exporter, TOPIC)


async def described(options: dict[str, Any], topic: str) -> bool:
    """Return whether this user sees the topic."""
    consumer: Any = AIOKafkaConsumer(**options)
    try:
        await consumer.start()
        return topic in await consumer.topics()
    finally:
        await consumer.stop()
