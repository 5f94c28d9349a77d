"""Kafka, MongoDB and Prometheus in deploy/k8s permit and scrape what the code needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chassis.messaging.kafka_topics import PARTITIONS, RETENTION_DAYS
from ops.local import kafka_permissions
from ops.local.state_dir import ROOT
from tests.deploy.k8s import (
    K8S,
    OURS,
    OVERLAYS,
    Object,
    apps_of,
    flows,
    named,
    of,
)

pytestmark = pytest.mark.needs("kustomize")
PATTERNS: dict[str, Any] = {
    "literal": "literal",
    "prefix": "prefixed",
}  # our pattern types by Strimzi's names


def permissions_of(user: Object) -> Iterator[kafka_permissions.Permission]:
    """Yield the permissions of a KafkaUser; Kafka implies Describe."""
    for acl in user["spec"]["authorization"]["acls"]:
        resource = acl["resource"]
        for operation in {*acl["operations"]} - {"Describe"}:
            yield kafka_permissions.Permission(
                user["metadata"]["name"],
                operation.lower(),
                resource["type"],
                resource["name"],
                PATTERNS[resource["patternType"]],
            )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_user_of_kafka_may_do_what_its_service_does_and_nothing_else(overlay: str) -> None:
    expected: dict[str, set[kafka_permissions.Permission]] = {
        name: {*kafka_permissions.permissions(service)} for name, service in OURS.items()
    }
    for one in kafka_permissions.permissions_of_people():
        expected.setdefault(one.user, set()).add(one)
    assert {one["metadata"]["name"] for one in of(overlay, "KafkaUser")} == expected.keys()
    for user in of(overlay, "KafkaUser"):
        name = user["metadata"]["name"]
        spec = user["spec"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        assert set(permissions_of(user)) == expected[name]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_operators_pod_reaches_kafka_only_as_its_own_user(
    overlay: str,
) -> None:
    pod = yaml.safe_load((K8S / "operator.yaml").read_text())
    kubernetes_validate.validate(pod, "1.37", strict=True)
    [one] = pod["spec"]["containers"]
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (
        pod["spec"]["securityContext"]["runAsNonRoot"],
        pod["spec"]["securityContext"]["seccompProfile"],
    ) == (True, {"type": "RuntimeDefault"})
    assert {
        volume["secret"]["secretName"] for volume in pod["spec"]["volumes"] if "secret" in volume
    } == {kafka_permissions.OPERATOR, "bina-cluster-ca-cert"}
    label = pod["metadata"]["labels"]["app.kubernetes.io/name"]
    assert (
        label
        == kafka_permissions.OPERATOR
        in {user["metadata"]["name"] for user in of(overlay, "KafkaUser")}
    )
    port = named(overlay, "Kafka", "bina")["spec"]["kafka"]["listeners"][0]["port"]
    assert {
        (there, number) for here, there, number in flows(overlay, "egress") if here == label
    } == {("bina-kafka", port)}
    assert (label, "bina-kafka", port) in set(flows(overlay, "ingress"))
    assert {flow for flow in flows(overlay, "ingress") if flow[1] == label} == set()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kafka_refuses_by_default_and_keeps_what_two_of_three_brokers_have(overlay: str) -> None:
    kafka = named(overlay, "Kafka", "bina")["spec"]["kafka"]
    [listener] = kafka["listeners"]
    assert (listener["tls"], listener["authentication"], kafka["authorization"]) == (
        True,
        {"type": "scram-sha-512"},
        {"type": "simple"},
    )
    assert (
        named(overlay, "ConfigMap", _config_map(overlay, "bina"))["data"]["BINA_KAFKA"]
        == f"bina-kafka-bootstrap:{listener['port']}"
    )
    brokers, insync = (1, 1) if overlay == "dev" else (3, 2)
    assert {pool["spec"]["replicas"] for pool in of(overlay, "KafkaNodePool")} == {brokers}
    assert kafka["config"]["auto.create.topics.enable"] is False
    assert (
        kafka["config"]["default.replication.factor"],
        kafka["config"]["min.insync.replicas"],
    ) == (brokers, insync)
    assert {topic["metadata"]["name"] for topic in of(overlay, "KafkaTopic")} == {
        f"{name}.events" for name in OURS
    }
    for topic in of(overlay, "KafkaTopic"):
        assert (topic["spec"]["partitions"], topic["spec"]["replicas"]) == (PARTITIONS, brokers)
        assert topic["spec"]["config"] == {
            "retention.ms": RETENTION_DAYS * 86_400_000,
            "min.insync.replicas": insync,
        }


def _config_map(overlay: str, name: str) -> str:
    [found] = {
        one["metadata"]["name"]
        for one in of(overlay, "ConfigMap")
        if one["metadata"]["name"].rpartition("-")[0] == name
    }
    return found


@pytest.mark.parametrize("overlay", ["dev", "region"])
def test_a_user_of_mongodb_reaches_its_own_database_and_no_other(overlay: str) -> None:
    spec = named(overlay, "MongoDBCommunity", "mongo")["spec"]
    assert {user["name"] for user in spec["users"]} == OURS.keys()
    for user in spec["users"]:
        assert {role["db"] for role in user["roles"]} == {user["db"]} == {user["name"]}
        assert {role["name"] for role in user["roles"]} == {"readWrite", "dbAdmin"}
    assert spec["version"].startswith("8.0.")
    assert spec["additionalMongodConfig"]["setParameter.transactionLifetimeLimitSeconds"] == 15
    assert (spec["members"], spec["security"]["tls"]["enabled"]) == (
        (1, False) if overlay == "dev" else (3, True)
    )
    pod = spec["statefulSet"]["spec"]["template"]["spec"]
    assert {
        one["name"]
        for one in pod["containers"]
        if one["resources"]["limits"].keys() == {"cpu", "memory"}
    } == {"mongod", "mongodb-agent"}
    assert all(
        one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        for one in [*pod["containers"], *pod["initContainers"]]
    )


def test_every_process_is_scraped_under_the_labels_of_the_rules() -> None:
    asked: dict[str, Any] = {}
    for monitor in of("region", "PodMonitor"):
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["path"] == "/metrics"
        scraped = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())[
            "scrape_configs"
        ][0]
        labels = {
            label["targetLabel"]: label.get("replacement") for label in endpoint["relabelings"]
        }
        assert (
            labels
            == {"service": None, "job": scraped["job_name"]}
            | scraped["static_configs"][0]["labels"]
        )
        asked |= dict.fromkeys(apps_of(monitor["spec"]["selector"]), endpoint["port"])
    assert asked == {name: "internal" if name == "gateway" else "http" for name in OURS}
