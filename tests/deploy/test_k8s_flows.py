"""deploy/k8s tells the parts what their code asks for, lets flow what it calls, and gives it at the servers what it reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, cast

import kubernetes_validate
import pytest
import yaml

from chassis.messaging.kafka import PARTITIONS, RETENTION_DAYS
from gateway.settings import GatewaySettings
from ops.local import cluster_secrets, kafka_permissions, secrets, topology
from ops.local.state_dir import ROOT
from tests.deploy.alerts import RULE_FILES
from tests.deploy.k8s import (
    K8S,
    OURS,
    OVERLAYS,
    WORKLOADS,
    Object,
    container,
    files,
    named,
    of,
    settings_class,
    told,
    variables,
)

pytestmark = pytest.mark.needs("kustomize")


# What the parts are told


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", OURS)
def test_a_part_is_told_what_its_settings_read_and_nothing_else_and_everything_that_they_must_have(
    overlay: str, name: str
) -> None:
    deployment = named(overlay, "Deployment", name)
    service, known, given = OURS[name], variables(name), told(overlay, deployment)
    assert given.keys() - known.keys() == {f"{service.prefix}_SECRETS_DIR"}
    made = {
        one["metadata"]["name"]: one["data"].keys()
        for one in cluster_secrets.build_secrets(_place(), "bina")
    }
    in_files = {
        (path or key).upper()
        for secret, items in files(deployment).items()
        for key, path in items.items()
        if path or (key == "*" and secret == f"{name}-secrets")
    } - {"*"}
    in_files |= {key.upper() for key in made[f"{name}-secrets"]}
    required = {variable for variable, needed in known.items() if needed}
    assert required - given.keys() - in_files == set()
    assert {f"{service.prefix}_MONGO_URL", f"{service.prefix}_KAFKA_PASSWORD"} <= in_files
    assert in_files - {"CA.CRT"} <= known.keys()


@cache
def _place() -> Path:
    import tempfile  # noqa: PLC0415

    return Path(tempfile.mkdtemp(prefix="bina-secrets-"))


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_part_take_what_it_is_told(
    overlay: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the pod would load them, its mounted files standing in a directory here."""
    deployment, service = named(overlay, "Deployment", name), OURS[name]
    cluster_secrets.build_secrets(tmp_path, "bina")
    (tmp_path / name / f"{name}_mongo_url").write_text(f"mongodb://{name}:secret@mongo/{name}")
    (tmp_path / name / f"{name}_kafka_password").write_text("secret")
    (tmp_path / "ca.crt").write_text("")
    if told(overlay, deployment)["BINA_ENVIRONMENT"] == "production":
        (tmp_path / name / f"{name}_development_key").unlink(missing_ok=True)
    here = {
        "/secrets": tmp_path / name,
        "/trusted": tmp_path / "trusted",
        "/kafka-ca/ca.crt": tmp_path / "ca.crt",
        "/keys": tmp_path,
    }
    for variable, value in told(overlay, deployment).items():
        monkeypatch.setenv(variable, str(here.get(value, value)))
    settings = settings_class(name).load()
    assert settings.port == topology.BASE_PORT + service.listener.offset
    assert settings.environment == ("development" if overlay == "dev" else "production")
    assert settings.kafka_password.get_secret_value() == "secret"
    if isinstance(settings, GatewaySettings):
        hosts = {rule["host"] for rule in named(overlay, "Ingress", "gateway")["spec"]["rules"]}
        served = {
            host
            for group in ("staff", "shop", "certificate", "partner")
            for host in getattr(settings, f"{group}_hosts")
        }
        assert served <= hosts
        assert bool(settings.issuers) == (overlay != "dev")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_secret_that_is_mounted_comes_from_somewhere(overlay: str) -> None:
    mounted = {name for workload in of(overlay, *WORKLOADS) for name in files(workload)}
    by_strimzi = {one["metadata"]["name"] for one in of(overlay, "KafkaUser")} | {
        "bina-cluster-ca-cert"
    }
    assert [one["metadata"]["name"] for one in of(overlay, "Kafka")] == ["bina"]
    by_mongodb = {
        user["connectionStringSecretName"]
        for mongo in of(overlay, "MongoDBCommunity")
        for user in mongo["spec"]["users"]
    }
    passwords = {
        user["passwordSecretRef"]["name"]
        for mongo in of(overlay, "MongoDBCommunity")
        for user in mongo["spec"]["users"]
    }
    from_outside = {one["spec"]["target"]["name"] for one in of(overlay, "ExternalSecret")}
    made = (
        {one["metadata"]["name"] for one in cluster_secrets.build_secrets(_place(), "bina")}
        if overlay == "dev"
        else from_outside
    )
    assert (mounted - {"mongo-ca"}) - (made | by_strimzi | by_mongodb) == set()
    assert passwords <= made


SERVERS_OWN = {"/kafka-ca", "/mongo-ca"}  # within one host compose's lines are not encrypted


def mounted_in_compose(name: str) -> dict[str, tuple[str, bool]]:
    """What compose mounts into a part, by place: which volume, and whether it may only be read."""
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]["volumes"]
    return {
        target: (source, mode == "ro")
        for source, target, mode in (f"{volume}:rw".split(":")[:3] for volume in volumes)
    }


def mounted_in_cluster(workload: Object) -> dict[str, tuple[str, bool]]:
    """The same of a pod: the Secret of ours or the claim behind each place."""
    volumes = {
        volume["name"]: volume
        for volume in workload["spec"]["template"]["spec"]["volumes"]
        if "emptyDir" not in volume
    }
    found: dict[str, tuple[str, bool]] = {}
    for mount in container(workload)["volumeMounts"]:
        if (volume := volumes.get(mount["name"])) and mount["mountPath"] not in SERVERS_OWN:
            whole = (
                volume["projected"]["sources"][0]["secret"]["name"]
                if "projected" in volume
                else volume.get("secret", {}).get("secretName")
            )
            found[mount["mountPath"]] = (
                whole or volume["persistentVolumeClaim"]["claimName"],
                mount.get("readOnly", False),
            )
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", OURS)
def test_every_key_that_compose_mounts_has_its_slot_at_the_same_place_and_no_other_is_there(
    overlay: str, name: str
) -> None:
    compose = mounted_in_compose(name)
    for workload in (named(overlay, "Deployment", name), named(overlay, "Job", f"{name}-prepare")):
        assert mounted_in_cluster(workload) == compose
    kept = {source for source, only_read in compose.values() if not only_read}
    assert kept == ({"issuer-keys"} if name == "certification" else set())
    assert kept <= {claim["metadata"]["name"] for claim in of(overlay, "PersistentVolumeClaim")}
    for directory in OURS[name].directories:
        assert compose[
            told(overlay, named(overlay, "Deployment", name))[
                f"{OURS[name].prefix}_{directory.upper()}"
            ]
        ] == ("issuer-keys", False)


@pytest.mark.parametrize("name", OURS)
def test_each_file_of_a_secret_of_compose_is_one_in_the_cluster(name: str, tmp_path: Path) -> None:
    made = {
        one["metadata"]["name"]: one["data"].keys()
        for one in cluster_secrets.build_secrets(tmp_path / "cluster", "bina")
    }
    host = tmp_path / "host"
    secrets.make_secrets(host)
    secrets.kafka_password(host, name)
    secrets.write_mongo_url(host, name, "mongodb://")
    in_compose = {file.name for file in (host / name).iterdir()} - {
        "mongo-password"
    }  # for the one who makes the user
    from_servers = {
        path
        for secret, items in files(named("dev", "Deployment", name)).items()
        if secret != f"{name}-secrets"
        for path in items.values()
        if path
    }
    assert made[f"{name}-secrets"] | (from_servers - {"ca.crt"}) == in_compose
    assert made["trusted-keys"] == {file.name for file in (host / "trusted").iterdir()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_of_a_watched_cluster_judges_by_the_rules_of_compose(overlay: str) -> None:
    def rules(groups: Iterable[Object]) -> dict[str, list[Object]]:
        return {
            group["name"]: [
                deepcopy(rule) | {"expr": rule["expr"].split()} for rule in group["rules"]
            ]
            for group in groups
        }

    judged = rules(
        group for one in of(overlay, "PrometheusRule") for group in one["spec"]["groups"]
    )
    [namespace] = of(overlay, "Namespace")
    assert all(
        rule["labels"].pop("namespace") == namespace["metadata"]["name"]
        for group in judged.values()
        for rule in group
        if "alert" in rule
    )
    assert judged == (
        {}
        if overlay == "dev"
        else rules(
            group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]
        )
    )


# Flows


Flow = tuple[str, str, int]
PATTERNS: dict[str, Any] = {"literal": "literal", "prefix": "prefixed"}  # Strimzi's words for them


def _apps(selector: Object) -> set[str]:
    """The parts of ours that a selector means; others by a label of their own."""
    labels, wanted = (
        selector.get("matchLabels", {}),
        [
            one
            for one in selector.get("matchExpressions", ())
            if one["key"] == "app.kubernetes.io/name"
        ],
    )
    if wanted:
        return set(wanted[0]["values"])
    if "app.kubernetes.io/name" in labels:
        return {labels["app.kubernetes.io/name"]}
    return {cast("str", labels.get("strimzi.io/name") or labels.get("app", "*"))}


def _port(number: str | int, app_name: str) -> int:
    return topology.BASE_PORT + OURS[app_name].listener.offset if number == "http" else int(number)


def flows(overlay: str, direction: str) -> Iterator[Flow]:
    """(from, to, port) of each rule between pods; the peer outside of the namespace stands by its namespace or address."""
    side = "from" if direction == "ingress" else "to"
    for policy in of(overlay, "NetworkPolicy"):
        for rule in policy["spec"].get(direction, ()):
            for here in _apps(policy["spec"]["podSelector"]):
                peers: set[str] = set()
                for peer in rule.get(side, ()):
                    if "namespaceSelector" in peer:
                        peers.add(
                            "namespace "
                            + peer["namespaceSelector"]["matchLabels"][
                                "kubernetes.io/metadata.name"
                            ]
                        )
                    elif "ipBlock" in peer:
                        peers.add("outside")
                    else:
                        peers |= _apps(peer["podSelector"])
                for there in peers or {"anywhere"}:
                    for port in rule["ports"]:
                        yield (
                            (there, here, _port(port["port"], here))
                            if direction == "ingress"
                            else (here, there, _port(port["port"], there))
                        )


def calls() -> set[Flow]:
    """Who calls whom, as the settings say that name another's address."""
    found: set[Flow] = set()
    for name in OURS:
        for peer, service in OURS.items():
            if f"{peer}_url" in settings_class(name).model_fields:
                found.add(
                    (
                        name,
                        peer,
                        topology.BASE_PORT + service.listener.offset + service.probe_offset,
                    )
                )
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_between_the_parts_flows_what_the_code_calls_and_nothing_else_by_both_ends(
    overlay: str,
) -> None:
    for direction in ("ingress", "egress"):
        between = {flow for flow in flows(overlay, direction) if {flow[0], flow[1]} <= OURS.keys()}
        assert between == calls(), direction


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_part_reaches_its_servers_and_is_reached_by_whom_it_serves(overlay: str) -> None:
    coming, going = set(flows(overlay, "ingress")), set(flows(overlay, "egress"))
    kafka = int(
        yaml.safe_load((K8S / "base/kustomization.yaml").read_text())["configMapGenerator"][0][
            "literals"
        ][1].rpartition(":")[2]
    )
    mongo = {("outside", 27017)} if overlay == "national" else {("mongo-svc", 27017)}
    expected = {("bina-kafka", kafka)} | mongo
    for name, service in OURS.items():
        assert {
            (there, port)
            for here, there, port in going
            if here == name and there not in OURS and port != 443
        } == expected
        metrics = topology.BASE_PORT + service.listener.offset + service.probe_offset
        watched = {(who, port) for who, here, port in coming if here == name and who not in OURS}
        assert watched == {("namespace monitoring", metrics)} | (
            {("namespace ingress-nginx", topology.BASE_PORT)} if name == "gateway" else set()
        )
        assert (name, "bina-kafka", kafka) in coming
    assert {here for here, _, port in going if port == 443 and here in OURS} == (
        {"gateway"} if overlay != "dev" else set()
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_first_nothing_flows_at_all(overlay: str) -> None:
    assert named(overlay, "NetworkPolicy", "deny-all")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for policy in of(overlay, "NetworkPolicy"):
        assert {direction.lower() for direction in policy["spec"]["policyTypes"]} >= policy[
            "spec"
        ].keys() & {"ingress", "egress"}
        assert all(
            rule.get("ports")
            for direction in ("ingress", "egress")
            for rule in policy["spec"].get(direction, ())
        ), "every rule names its ports"


# Servers


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_user_of_kafka_may_do_what_its_service_does_and_nothing_else(overlay: str) -> None:
    expected: dict[str, set[kafka_permissions.Permission]] = {
        name: {*kafka_permissions.permissions(service)} for name, service in OURS.items()
    }
    for one in kafka_permissions.permissions_of_people():
        expected.setdefault(one.user, set()).add(one)
    assert {one["metadata"]["name"] for one in of(overlay, "KafkaUser")} == expected.keys()
    for user in of(overlay, "KafkaUser"):
        name, spec = user["metadata"]["name"], user["spec"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        given = {
            kafka_permissions.Permission(
                name,
                operation.lower(),
                acl["resource"]["type"],
                acl["resource"]["name"],
                PATTERNS[acl["resource"]["patternType"]],
            )
            for acl in spec["authorization"]["acls"]
            for operation in acl["operations"]
            if operation != "Describe"
        }
        assert given == expected[name]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_person_who_looks_at_kafka_comes_as_its_user_in_a_pod_that_reaches_kafka_alone(
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


def test_the_metrics_of_every_part_are_asked_for_under_the_labels_that_the_rules_count_by() -> None:
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
        asked |= dict.fromkeys(_apps(monitor["spec"]["selector"]), endpoint["port"])
    assert asked == {name: "internal" if name == "gateway" else "http" for name in OURS}
