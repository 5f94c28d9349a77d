"""deploy/k8s renders, every object is what its schema says, and it tells the parts what their code asks for: settings, ports, probes, calls, topics."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema
import kubernetes_validate
import pytest
import yaml
from pydantic import AliasChoices

from chassis.kafka import PARTITIONS, RETENTION_DAYS
from chassis.settings import Settings
from gateway.settings import GatewaySettings
from ops import cluster_secrets, kafka_setup, parts
from ops.home import ROOT

K8S, CRDS = ROOT / "deploy/k8s", Path(__file__).parent / "crds"
OVERLAYS = ("dev", "region", "national")
KUBERNETES = "1.37"
OURS = {service.name: service for service in parts.OURS}
WORKLOADS = ("Deployment", "Job")
Object = dict[str, Any]

pytestmark = pytest.mark.needs("kustomize")


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    built = subprocess.run(["kustomize", "build", str(K8S / "overlays" / overlay)], capture_output=True, text=True, check=False)  # noqa: S607 - found in PATH
    assert built.returncode == 0, built.stderr
    return tuple(yaml.safe_load_all(built.stdout))


def of(overlay: str, *kinds: str) -> list[Object]:
    return [one for one in rendered(overlay) if one["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Object:
    [found] = [one for one in of(overlay, kind) if one["metadata"]["name"] == name]
    return found


def container(workload: Object) -> Object:
    [one] = workload["spec"]["template"]["spec"]["containers"]
    return one


def app(workload: Object) -> str:
    return workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]


def settings_class(service: str) -> type[Settings]:
    module = importlib.import_module(f"{OURS[service].module}.settings")
    [found] = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Settings) and one.prefix]
    return found


def variables(service: str) -> dict[str, bool]:
    """The names that the service's settings read, and whether each must be given."""
    kind = settings_class(service)
    named: dict[str, bool] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        spelt = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{kind.prefix}{name}".upper()
        named[spelt] = field.is_required()
    return named


def told(overlay: str, workload: Object) -> dict[str, str]:
    """The environment of the one container, by name; what is taken from a field stands as ''."""
    one, found = container(workload), dict[str, str]()
    for source in one.get("envFrom", ()):
        found |= named(overlay, "ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {variable["name"]: variable.get("value", "") for variable in one.get("env", ())}


def files(workload: Object) -> dict[str, dict[str, str | None]]:
    """Of each Secret that the workload mounts whole or in part: which of its keys is which file; a whole one stands as {'*': None}."""
    found: dict[str, dict[str, str | None]] = {}
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        sources = [source["secret"] for source in volume.get("projected", {}).get("sources", ())] + ([volume["secret"]] if "secret" in volume else [])
        for source in sources:
            name = source.get("name") or source["secretName"]
            found[name] = {item["key"]: item["path"] for item in source["items"]} if "items" in source else {"*": None}
    return found


def validator(schema: Path) -> Any:
    content = json.loads(schema.read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


# What it is


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_is_what_its_schema_says_and_has_no_field_that_it_does_not_know(overlay: str) -> None:
    for one in rendered(overlay):
        name = f"{one['kind']} {one['metadata']['name']}"
        vendored = CRDS / f"{one['kind']}.json"
        try:
            if vendored.exists():
                validator(vendored).validate(one)
            else:
                kubernetes_validate.validate(one, KUBERNETES, strict=True)
        except jsonschema.ValidationError as wrong:
            pytest.fail(f"{name}: {list(wrong.absolute_path)}: {wrong.message}")


@pytest.mark.parametrize("kind", sorted(path.stem for path in CRDS.glob("*.json")))
def test_a_vendored_schema_refuses_what_it_does_not_know(kind: str) -> None:
    schema = validator(CRDS / f"{kind}.json")
    [one, *_] = [one for overlay in OVERLAYS for one in of(overlay, kind)]
    with pytest.raises(jsonschema.ValidationError):
        schema.validate({**one, "spec": {**one["spec"], "notAField": 1}})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_lies_in_one_namespace_that_admits_only_restricted_pods(overlay: str) -> None:
    [namespace] = of(overlay, "Namespace")
    assert {one["metadata"]["namespace"] for one in rendered(overlay) if one is not namespace} == {namespace["metadata"]["name"]}
    assert {namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_stands_in_it(overlay: str) -> None:
    assert of(overlay, "Secret") == []
    text = yaml.safe_dump_all(rendered(overlay))
    assert re.findall(r"(?i)-----BEGIN|\b[0-9a-f]{32,}\b|:[^/\s]+@", text) == []
    names = {name for workload in of(overlay, *WORKLOADS) for name in told(overlay, workload)}
    assert [name for name in names if re.search(r"PASSWORD|SECRET(?!S_DIR)|_KEY$|TOKEN|MONGO_URL", name)] == []


# Pods


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_part_of_ours_is_deployed_prepared_exposed_disturbed_little_and_scaled(overlay: str) -> None:
    for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        assert {one["metadata"]["name"] for one in of(overlay, kind)} == OURS.keys(), kind
    assert {one["metadata"]["name"] for one in of(overlay, "Job")} == {f"{name}-prepare" for name in OURS}
    assert not any(one["automountServiceAccountToken"] for one in of(overlay, "ServiceAccount"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_may_do_nothing_that_it_does_not_need(overlay: str) -> None:
    for workload in of(overlay, *WORKLOADS):
        pod, one = workload["spec"]["template"]["spec"], container(workload)
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"], pod["serviceAccountName"]) == (False, False, app(workload))
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
        assert one["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert {limit: set(amounts) for limit, amounts in one["resources"].items()} == {"requests": {"cpu", "memory"}, "limits": {"cpu", "memory"}}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert [volume for volume in pod["volumes"] if "hostPath" in volume] == []
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)
        assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in one["volumeMounts"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_upgrade_can_choose_the_jobs_and_each_part_by_its_labels(overlay: str) -> None:
    for workload in of(overlay, *WORKLOADS):
        inside = workload["spec"]["template"]["metadata"]["labels"]
        assert inside == workload["metadata"]["labels"]
        assert inside["app.kubernetes.io/component"] == ("service" if workload["kind"] == "Deployment" else "prepare")
    labelled = {one["kind"] for one in rendered(overlay) if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "service"}
    assert labelled == {"Deployment"}, "docs/operations.md applies all else first"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_image_is_that_of_compose_in_one_named_version(overlay: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    versions: set[str] = set()
    for workload in of(overlay, *WORKLOADS):
        image, _, version = container(workload)["image"].rpartition(":")
        assert image == compose[app(workload)]["image"]
        versions.add(version)
    assert len(versions) == 1
    assert versions.isdisjoint({"latest", ""})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_and_probes_are_those_where_the_part_answers(overlay: str) -> None:
    for deployment in of(overlay, "Deployment"):
        service, one = OURS[app(deployment)], container(deployment)
        ports = {port["name"]: port["containerPort"] for port in one["ports"]}
        public, probed = parts.BASE_PORT + service.listener.offset, parts.BASE_PORT + service.listener.offset + service.probes
        assert ports == ({"http": public} if public == probed else {"http": public, "internal": probed})
        assert told(overlay, deployment)[f"{service.prefix}_PORT"] == str(public)
        for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            asked = one[probe]["httpGet"]
            assert (asked["path"], ports[asked["port"]]) == (path, probed)
        exposed = named(overlay, "Service", service.name)["spec"]
        assert {(port["port"], port["targetPort"]) for port in exposed["ports"]} == {(number, name) for name, number in ports.items()}
        assert exposed["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        assert exposed["selector"]["app.kubernetes.io/component"] == "service", "not the pods of the Job"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_the_time_that_its_end_takes(overlay: str) -> None:
    draining, workers = 10, 8  # uvicorn's, as chassis/serve.py sets it, and the workers', as chassis/lifetime.py waits for them
    serving = (ROOT / "chassis/serve.py").read_text() + (ROOT / "chassis/lifetime.py").read_text()
    assert f'"timeout_graceful_shutdown": {draining},' in serving
    assert f"timeout={workers})" in serving
    for deployment in of(overlay, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        drain = int(told(overlay, deployment).get("GATEWAY_DRAIN_SECONDS", draining))
        assert pod["terminationGracePeriodSeconds"] > container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"] + drain + workers
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        labels = deployment["spec"]["selector"]["matchLabels"]
        assert [spread["labelSelector"]["matchLabels"] for spread in pod["topologySpreadConstraints"]] == [labels]
        [near] = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert near["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
        assert named(overlay, "PodDisruptionBudget", app(deployment))["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_part_scales_on_its_processors_and_on_what_it_has_not_yet_read_to_no_more_pods_than_a_topic_has_partitions(overlay: str) -> None:
    for scaler in of(overlay, "HorizontalPodAutoscaler"):
        service, spec = OURS[scaler["metadata"]["name"]], scaler["spec"]
        assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) == ("Deployment", service.name)
        assert 1 <= spec["minReplicas"] < spec["maxReplicas"] <= PARTITIONS
        assert "replicas" not in named(overlay, "Deployment", service.name)["spec"], "each apply would undo what the scaler has done"
        metrics = {metric["type"]: metric for metric in spec["metrics"]}
        assert metrics.keys() == ({"Resource", "External"} if service.hears else {"Resource"})
        if service.hears:
            metric = metrics["External"]["external"]["metric"]
            assert metric == {"name": "bina_consumer_lag_events", "selector": {"matchLabels": {"service": service.name}}}
    adapter = yaml.safe_load((K8S / "components/monitoring/prometheus-adapter-values.yaml").read_text())
    assert [rule["name"]["as"] for rule in adapter["rules"]["external"]] == ["bina_consumer_lag_events"]
    telemetry = importlib.import_module("chassis.telemetry")
    assert "bina_consumer_lag_events" in {metric.name for metric in telemetry.CONSUMER_LAG.collect()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_job_prepares_by_the_same_image_settings_and_secrets_as_the_pods_that_follow(overlay: str) -> None:
    for job in of(overlay, "Job"):
        deployment = named(overlay, "Deployment", app(job))
        assert container(job)["command"] == ["python", "-m", OURS[app(job)].module, "prepare"]
        for shared in ("image", "envFrom", "env", "volumeMounts"):
            assert container(job)[shared] == container(deployment)[shared], shared
        assert job["spec"]["template"]["spec"]["volumes"] == deployment["spec"]["template"]["spec"]["volumes"]
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
        assert job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "prepare"


# What the parts are told


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("name", OURS)
def test_a_part_is_told_what_its_settings_read_and_nothing_else_and_everything_that_they_must_have(overlay: str, name: str) -> None:
    deployment = named(overlay, "Deployment", name)
    service, known, given = OURS[name], variables(name), told(overlay, deployment)
    assert given.keys() - known.keys() == {f"{service.prefix}_SECRETS_DIR"}
    made = {one["metadata"]["name"]: one["data"].keys() for one in cluster_secrets.objects(_place(), "bina")}
    in_files = {(path or key).upper() for secret, items in files(deployment).items() for key, path in items.items() if path or (key == "*" and secret == f"{name}-secrets")} - {"*"}
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
def test_the_settings_of_a_part_take_what_it_is_told(overlay: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the pod would load them, its mounted files standing in a directory here."""
    deployment, service = named(overlay, "Deployment", name), OURS[name]
    cluster_secrets.objects(tmp_path, "bina")
    (tmp_path / name / f"{name}_mongo_url").write_text(f"mongodb://{name}:secret@mongo/{name}")
    (tmp_path / name / f"{name}_kafka_password").write_text("secret")
    (tmp_path / "ca.crt").write_text("")
    if told(overlay, deployment)["BINA_ENVIRONMENT"] == "production":
        (tmp_path / name / f"{name}_development_key").unlink(missing_ok=True)
    here = {"/secrets": tmp_path / name, "/trusted": tmp_path / "trusted", "/kafka-ca/ca.crt": tmp_path / "ca.crt", "/keys": tmp_path}
    for variable, value in told(overlay, deployment).items():
        monkeypatch.setenv(variable, str(here.get(value, value)))
    settings = settings_class(name).load()
    assert settings.port == parts.BASE_PORT + service.listener.offset
    assert settings.environment == ("development" if overlay == "dev" else "production")
    assert settings.kafka_password.get_secret_value() == "secret"
    if isinstance(settings, GatewaySettings):
        hosts = {rule["host"] for rule in named(overlay, "Ingress", "gateway")["spec"]["rules"]}
        served = {host for group in ("staff", "shop", "certificate", "partner") for host in getattr(settings, f"{group}_hosts")}
        assert served <= hosts
        assert bool(settings.issuers) == (overlay != "dev")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_secret_that_is_mounted_comes_from_somewhere(overlay: str) -> None:
    mounted = {name for workload in of(overlay, *WORKLOADS) for name in files(workload)}
    by_strimzi = {one["metadata"]["name"] for one in of(overlay, "KafkaUser")} | {"bina-cluster-ca-cert"}
    assert [one["metadata"]["name"] for one in of(overlay, "Kafka")] == ["bina"]
    by_mongodb = {user["connectionStringSecretName"] for mongo in of(overlay, "MongoDBCommunity") for user in mongo["spec"]["users"]}
    passwords = {user["passwordSecretRef"]["name"] for mongo in of(overlay, "MongoDBCommunity") for user in mongo["spec"]["users"]}
    from_outside = {one["spec"]["target"]["name"] for one in of(overlay, "ExternalSecret")}
    made = {one["metadata"]["name"] for one in cluster_secrets.objects(_place(), "bina")} if overlay == "dev" else from_outside
    assert (mounted - {"mongo-ca"}) - (made | by_strimzi | by_mongodb) == set()
    assert passwords <= made


# Flows


Flow = tuple[str, str, int]


def _apps(selector: Object) -> set[str]:
    """The parts of ours that a selector means; others by a label of their own."""
    labels, wanted = selector.get("matchLabels", {}), [one for one in selector.get("matchExpressions", ()) if one["key"] == "app.kubernetes.io/name"]
    if wanted:
        return set(wanted[0]["values"])
    if "app.kubernetes.io/name" in labels:
        return {labels["app.kubernetes.io/name"]}
    return {cast("str", labels.get("strimzi.io/name") or labels.get("app", "*"))}


def _port(number: str | int, app_name: str) -> int:
    return parts.BASE_PORT + OURS[app_name].listener.offset if number == "http" else int(number)


def flows(overlay: str, direction: str) -> Iterator[Flow]:
    """(from, to, port) of each rule between pods; the peer outside of the namespace stands by its namespace or address."""
    side = "from" if direction == "ingress" else "to"
    for policy in of(overlay, "NetworkPolicy"):
        for rule in policy["spec"].get(direction, ()):
            for here in _apps(policy["spec"]["podSelector"]):
                peers: set[str] = set()
                for peer in rule.get(side, ()):
                    if "namespaceSelector" in peer:
                        peers.add("namespace " + peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
                    elif "ipBlock" in peer:
                        peers.add("outside")
                    else:
                        peers |= _apps(peer["podSelector"])
                for there in peers or {"anywhere"}:
                    for port in rule["ports"]:
                        yield (there, here, _port(port["port"], here)) if direction == "ingress" else (here, there, _port(port["port"], there))


def calls() -> set[Flow]:
    """Who calls whom, as the settings say that name another's address."""
    found: set[Flow] = set()
    for name in OURS:
        for peer, service in OURS.items():
            if f"{peer}_url" in settings_class(name).model_fields:
                found.add((name, peer, parts.BASE_PORT + service.listener.offset + service.probes))
    return found


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_between_the_parts_flows_what_the_code_calls_and_nothing_else_by_both_ends(overlay: str) -> None:
    for direction in ("ingress", "egress"):
        between = {flow for flow in flows(overlay, direction) if {flow[0], flow[1]} <= OURS.keys()}
        assert between == calls(), direction


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_part_reaches_its_servers_and_is_reached_by_whom_it_serves(overlay: str) -> None:
    coming, going = set(flows(overlay, "ingress")), set(flows(overlay, "egress"))
    kafka = int(yaml.safe_load((K8S / "base/kustomization.yaml").read_text())["configMapGenerator"][0]["literals"][1].rpartition(":")[2])
    mongo = {("outside", 27017)} if overlay == "national" else {("mongo-svc", 27017)}
    expected = {("bina-kafka", kafka)} | mongo
    for name, service in OURS.items():
        assert {(there, port) for here, there, port in going if here == name and there not in OURS and port != 443} == expected
        metrics = parts.BASE_PORT + service.listener.offset + service.probes
        watched = {(who, port) for who, here, port in coming if here == name and who not in OURS}
        assert watched == {("namespace monitoring", metrics)} | ({("namespace ingress-nginx", parts.BASE_PORT)} if name == "gateway" else set())
        assert (name, "bina-kafka", kafka) in coming
    assert {here for here, _, port in going if port == 443 and here in OURS} == ({"gateway"} if overlay != "dev" else set())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_first_nothing_flows_at_all(overlay: str) -> None:
    assert named(overlay, "NetworkPolicy", "deny-all")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in of(overlay, "NetworkPolicy"):
        assert {direction.lower() for direction in policy["spec"]["policyTypes"]} >= policy["spec"].keys() & {"ingress", "egress"}
        assert all(rule.get("ports") for direction in ("ingress", "egress") for rule in policy["spec"].get(direction, ())), "every rule names its ports"


# Servers


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_user_of_kafka_may_do_what_its_service_does_and_nothing_else(overlay: str) -> None:
    assert {one["metadata"]["name"] for one in of(overlay, "KafkaUser")} == OURS.keys()
    for user in of(overlay, "KafkaUser"):
        name, spec = user["metadata"]["name"], user["spec"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        given = {
            (operation.lower(), acl["resource"]["type"], acl["resource"]["name"])
            for acl in spec["authorization"]["acls"]
            for operation in acl["operations"]
            if operation != "Describe"
        }
        assert {acl["resource"]["patternType"] for acl in spec["authorization"]["acls"]} == {"literal"}
        assert given == {(one.operation, one.resource, one.name) for one in kafka_setup.permissions(OURS[name])}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kafka_refuses_by_default_and_keeps_what_two_of_three_brokers_have(overlay: str) -> None:
    kafka = named(overlay, "Kafka", "bina")["spec"]["kafka"]
    [listener] = kafka["listeners"]
    assert (listener["tls"], listener["authentication"], kafka["authorization"]) == (True, {"type": "scram-sha-512"}, {"type": "simple"})
    assert named(overlay, "ConfigMap", _config_map(overlay, "bina"))["data"]["BINA_KAFKA"] == f"bina-kafka-bootstrap:{listener['port']}"
    brokers, insync = (1, 1) if overlay == "dev" else (3, 2)
    assert {pool["spec"]["replicas"] for pool in of(overlay, "KafkaNodePool")} == {brokers}
    assert kafka["config"]["auto.create.topics.enable"] is False
    assert (kafka["config"]["default.replication.factor"], kafka["config"]["min.insync.replicas"]) == (brokers, insync)
    assert {topic["metadata"]["name"] for topic in of(overlay, "KafkaTopic")} == {f"{name}.events" for name in OURS}
    for topic in of(overlay, "KafkaTopic"):
        assert (topic["spec"]["partitions"], topic["spec"]["replicas"]) == (PARTITIONS, brokers)
        assert topic["spec"]["config"] == {"retention.ms": RETENTION_DAYS * 86_400_000, "min.insync.replicas": insync}


def _config_map(overlay: str, name: str) -> str:
    [found] = {one["metadata"]["name"] for one in of(overlay, "ConfigMap") if one["metadata"]["name"].rpartition("-")[0] == name}
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
    assert (spec["members"], spec["security"]["tls"]["enabled"]) == ((1, False) if overlay == "dev" else (3, True))
    pod = spec["statefulSet"]["spec"]["template"]["spec"]
    assert {one["name"] for one in pod["containers"] if one["resources"]["limits"].keys() == {"cpu", "memory"}} == {"mongod", "mongodb-agent"}
    assert all(one["securityContext"]["capabilities"] == {"drop": ["ALL"]} for one in [*pod["containers"], *pod["initContainers"]])


def test_the_metrics_of_every_part_are_asked_for_under_the_labels_that_the_rules_count_by() -> None:
    asked: dict[str, Any] = {}
    for monitor in of("region", "PodMonitor"):
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["path"] == "/metrics"
        assert {label["targetLabel"] for label in endpoint["relabelings"]} == {"service", "job"}
        asked |= dict.fromkeys(_apps(monitor["spec"]["selector"]), endpoint["port"])
    assert asked == {name: "internal" if name == "gateway" else "http" for name in OURS}
