"""MongoDB and Kafka as containers, for `--containers`. Not here: tests."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager

import pymongo
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.installation import eventually

MONGO = "mongo:8.0.21"
KAFKA = "apache/kafka:4.3.1"


@contextmanager
def mongod() -> Generator[str]:
    """Run a single-node replica set without authentication; yield the URL of its published port."""
    mongo = (
        DockerContainer(MONGO)
        .with_command(
            "mongod --replSet bina --bind_ip_all --setParameter transactionLifetimeLimitSeconds=15"
        )
        .with_exposed_ports(27017)
    )
    with mongo.waiting_for(_log_line("Waiting for connections")) as container:
        host = container.get_container_host_ip()
        port = container.get_exposed_port(27017)
        url = f"mongodb://{host}:{port}/?directConnection=true"
        with pymongo.MongoClient[dict[str, object]](url) as client:
            client.admin.command(
                "replSetInitiate",
                {"_id": "bina", "members": [{"_id": 0, "host": "127.0.0.1:27017"}]},
            )
            eventually(lambda: client.admin.command("hello")["isWritablePrimary"])
        yield url


@contextmanager
def kafka() -> Generator[str]:
    """Run one KRaft node that advertises the host's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    container = DockerContainer(KAFKA).with_bind_ports(9092, port)
    for name, value in _kafka_settings(port).items():
        container = container.with_env(name, value)
    with container.waiting_for(_log_line("Kafka Server started")):
        yield f"127.0.0.1:{port}"


def _log_line(message: str) -> LogMessageWaitStrategy:
    return LogMessageWaitStrategy(message).with_startup_timeout(120)


def _kafka_settings(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }


RUNNING = {"mongod": mongod, "kafka": kafka}
os.environ.setdefault(
    "TESTCONTAINERS_RYUK_DISABLED", "true"
)  # a run removes its containers itself, and the reaper's image is not available everywhere
