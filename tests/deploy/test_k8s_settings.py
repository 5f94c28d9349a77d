"""Pods in deploy/k8s get the settings, secrets and rules that the code and compose have."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import yaml

from gateway.settings import GatewaySettings
from ops.local import cluster_secrets, secrets, topology
from ops.local.state_dir import ROOT
from tests.deploy.alerts import RULE_FILES
from tests.deploy.k8s import (
    OURS,
    OVERLAYS,
    WORKLOADS,
    Object,
    container,
    environment_of,
    files,
    named,
    of,
    settings_class,
    variables,
)

pytestmark = pytest.mark.needs("kustomize")
SERVERS_OWN = {"/kafka-ca", "/mongo-ca"}  # compose encrypts nothing within its host


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", OURS)
def test_a_process_gets_exactly_the_variables_that_its_settings_read(
    overlay: str, name: str
) -> None:
    deployment = named(overlay, "Deployment", name)
    service = OURS[name]
    known = variables(name)
    given = environment_of(overlay, deployment)
    assert given.keys() - known.keys() == {f"{service.prefix}_SECRETS_DIR"}
    made = {
        one["metadata"]["name"]: one["data"].keys()
        for one in cluster_secrets.build_secrets(_place(), "bina")
    }
    in_files = {path.upper() for path in paths_of(deployment)}
    in_files |= {key.upper() for key in made[f"{name}-secrets"]}
    required = {variable for variable, needed in known.items() if needed}
    assert required - given.keys() - in_files == set()
    assert {f"{service.prefix}_MONGO_URL", f"{service.prefix}_KAFKA_PASSWORD"} <= in_files
    assert in_files - {"CA.CRT"} <= known.keys()


def paths_of(workload: Object) -> set[str]:
    """Return the files that single keys of mounted Secrets are."""
    paths = {path for items in files(workload).values() for path in items.values()}
    return {path for path in paths if path}


@cache
def _place() -> Path:
    return Path(tempfile.mkdtemp(prefix="bina-secrets-"))


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", OURS)
def test_the_settings_of_a_process_accept_its_variables(
    overlay: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load the settings as the pod would, with its mounted files in a local directory."""
    deployment = named(overlay, "Deployment", name)
    service = OURS[name]
    cluster_secrets.build_secrets(tmp_path, "bina")
    (tmp_path / name / f"{name}_mongo_url").write_text(
        f"mongodb://{name}:secret@mongo/{name}?tls=true"
    )
    (tmp_path / name / f"{name}_kafka_password").write_text("secret")
    (tmp_path / "ca.crt").write_text("")
    if environment_of(overlay, deployment)["BINA_ENVIRONMENT"] == "production":
        (tmp_path / name / f"{name}_development_key").unlink(missing_ok=True)
    here = {
        "/secrets": tmp_path / name,
        "/trusted": tmp_path / "trusted",
        "/kafka-ca/ca.crt": tmp_path / "ca.crt",
        "/keys": tmp_path,
    }
    for variable, value in environment_of(overlay, deployment).items():
        monkeypatch.setenv(variable, str(here.get(value, value)))
    settings = settings_class(name).load()
    assert settings.port == topology.BASE_PORT + service.listener.offset
    assert settings.environment == ("development" if overlay == "dev" else "production")
    assert settings.kafka_password.get_secret_value() == "secret"
    if isinstance(settings, GatewaySettings):
        hosts = {rule["host"] for rule in named(overlay, "Ingress", "gateway")["spec"]["rules"]}
        served: set[str] = set()
        for group in topology.HOST_GROUPS:
            served |= {*getattr(settings, f"{group}_hosts")}
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


def mounted_in_compose(name: str) -> dict[str, tuple[str, bool]]:
    """Return what compose mounts into a process: by path, the volume and if it is read-only."""
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]["volumes"]
    return {
        target: (source, mode == "ro")
        for source, target, mode in (f"{volume}:rw".split(":")[:3] for volume in volumes)
    }


def mounted_in_cluster(workload: Object) -> dict[str, tuple[str, bool]]:
    """Return the same of a pod: the Secret of ours or the claim behind each path."""
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
def test_kubernetes_mounts_the_same_keys_as_compose(overlay: str, name: str) -> None:
    compose = mounted_in_compose(name)
    for workload in (named(overlay, "Deployment", name), named(overlay, "Job", f"{name}-prepare")):
        assert mounted_in_cluster(workload) == compose
    kept = {source for source, only_read in compose.values() if not only_read}
    assert kept == ({"issuer-keys"} if name == "certification" else set())
    assert kept <= {claim["metadata"]["name"] for claim in of(overlay, "PersistentVolumeClaim")}
    for directory in OURS[name].directories:
        assert compose[
            environment_of(overlay, named(overlay, "Deployment", name))[
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
    }  # only for the job that creates the user
    from_servers = paths_of(named("dev", "Deployment", name))
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
    judged_rules = [rule for group in judged.values() for rule in group]
    for rule in judged_rules:
        if "alert" in rule:
            assert rule["labels"].pop("namespace") == namespace["metadata"]["name"]
    assert judged == (
        {}
        if overlay == "dev"
        else rules(
            group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]
        )
    )
