"""deploy/k8s renders, every object fits its schema, and pods have no needless rights."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from chassis.app.lifespan import STOP_SECONDS
from chassis.app.server import SHUTDOWN_SECONDS
from chassis.messaging.kafka_topics import PARTITIONS
from ops.local.state_dir import ROOT
from tests.deploy.k8s import (
    K8S,
    OURS,
    OVERLAYS,
    WATCHING,
    WORKLOADS,
    app,
    container,
    environment_of,
    named,
    of,
    of_ours,
    rendered,
)

CRDS = Path(__file__).parent / "crds"
KUBERNETES = "1.37"
pytestmark = pytest.mark.needs("kustomize")


def validator(schema: Path) -> Any:
    content = json.loads(schema.read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


# What it is


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_fits_its_schema_and_has_no_unknown_field(
    overlay: str,
) -> None:
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
def test_a_vendored_schema_refuses_unknown_fields(kind: str) -> None:
    schema = validator(CRDS / f"{kind}.json")
    [one, *_] = [one for overlay in OVERLAYS for one in of(overlay, kind)]
    with pytest.raises(jsonschema.ValidationError):
        schema.validate({**one, "spec": {**one["spec"], "notAField": 1}})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_is_in_one_namespace_that_admits_only_restricted_pods(overlay: str) -> None:
    [namespace] = of(overlay, "Namespace")
    assert {one["metadata"]["namespace"] for one in rendered(overlay) if one is not namespace} == {
        namespace["metadata"]["name"]
    }
    assert {
        namespace["metadata"]["labels"][f"pod-security.kubernetes.io/{mode}"]
        for mode in ("enforce", "audit", "warn")
    } == {"restricted"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_manifests_hold_no_secret(overlay: str) -> None:
    assert of(overlay, "Secret") == []
    text = yaml.safe_dump_all(rendered(overlay))
    assert re.findall(r"(?i)-----BEGIN|\b[0-9a-f]{32,}\b|:[^/\s]+@", text) == []
    names = {
        name for workload in of(overlay, *WORKLOADS) for name in environment_of(overlay, workload)
    }
    assert [
        name for name in names if re.search(r"PASSWORD|SECRET(?!S_DIR)|_KEY$|TOKEN|MONGO_URL", name)
    ] == []


# Pods


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_has_all_its_kubernetes_objects(
    overlay: str,
) -> None:
    for kind in (
        "Deployment",
        "Service",
        "ServiceAccount",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    ):
        assert {one["metadata"]["name"] for one in of_ours(overlay, kind)} == OURS.keys(), kind
    assert {one["metadata"]["name"] for one in of(overlay, "Job")} == {
        f"{name}-prepare" for name in OURS
    }
    assert not any(one["automountServiceAccountToken"] for one in of(overlay, "ServiceAccount"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_may_do_nothing_that_it_does_not_need(overlay: str) -> None:
    for workload in of(overlay, *WORKLOADS):
        pod = workload["spec"]["template"]["spec"]
        one = container(workload)
        assert (
            pod["automountServiceAccountToken"],
            pod["enableServiceLinks"],
            pod["serviceAccountName"],
        ) == (False, False, app(workload))
        assert (
            pod["securityContext"]["runAsNonRoot"],
            pod["securityContext"]["seccompProfile"],
        ) == (True, {"type": "RuntimeDefault"})
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {limit: set(amounts) for limit, amounts in one["resources"].items()} == {
            "requests": {"cpu", "memory"},
            "limits": {"cpu", "memory"},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert [volume for volume in pod["volumes"] if "hostPath" in volume] == []
        assert all(
            "sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume
        )
        assert {volume["name"] for volume in pod["volumes"]} == {
            mount["name"] for mount in one["volumeMounts"]
        }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_that_an_operator_makes_is_admitted_as_well(overlay: str) -> None:
    admitted = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }
    kafka = named(overlay, "Kafka", "bina")["spec"]
    assert kafka["kafka"]["template"] == {"kafkaContainer": {"securityContext": admitted}}
    assert kafka["entityOperator"]["template"] == {
        name: {"securityContext": admitted}
        for name in ("topicOperatorContainer", "userOperatorContainer")
    }
    for mongo in of(overlay, "MongoDBCommunity"):
        pod = mongo["spec"]["statefulSet"]["spec"]["template"]["spec"]
        for one in (*pod["containers"], *pod["initContainers"]):
            assert (pod["securityContext"] | one["securityContext"]).items() >= admitted.items()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_argo_cd_starts_servers_before_jobs_and_jobs_before_pods(overlay: str) -> None:
    waves: dict[int, set[str]] = {}
    for one in rendered(overlay):
        waves.setdefault(
            int(one["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", "0")),
            set(),
        ).add(one["kind"])
    assert (waves.pop(1), waves.pop(2)) == ({"Job"}, {"Deployment"})
    assert waves.keys() == {0}
    assert {
        "ConfigMap",
        "ServiceAccount",
        "PersistentVolumeClaim",
        "NetworkPolicy",
        "Kafka",
    } <= waves[0]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_job_ends_tries_again_a_few_times_and_is_cleared_away(overlay: str) -> None:
    for job in of(overlay, "Job"):
        assert (
            job["spec"]["backoffLimit"],
            job["spec"]["activeDeadlineSeconds"],
            job["spec"]["ttlSecondsAfterFinished"],
        ) == (3, 3_600, 86_400)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_upgrade_can_choose_the_jobs_and_each_part_by_its_labels(overlay: str) -> None:
    for workload in of(overlay, *WORKLOADS):
        inside = workload["spec"]["template"]["metadata"]["labels"]
        assert inside == workload["metadata"]["labels"]
        component = "service" if workload["kind"] == "Deployment" else "prepare"
        if app(workload) in WATCHING:
            component = "watch"
        assert inside["app.kubernetes.io/component"] == component
    labelled = {
        one["kind"]
        for one in rendered(overlay)
        if one["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "service"
    }
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
    for deployment in of_ours(overlay, "Deployment"):
        service = OURS[app(deployment)]
        one = container(deployment)
        ports = {port["name"]: port["containerPort"] for port in one["ports"]}
        public = service.listener.container_port
        probed = service.container_probe_port
        assert ports == (
            {"http": public} if public == probed else {"http": public, "internal": probed}
        )
        assert environment_of(overlay, deployment)[f"{service.prefix}_PORT"] == str(public)
        for probe, path in (
            ("startupProbe", "/livez"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ):
            request = one[probe]["httpGet"]
            assert (request["path"], ports[request["port"]]) == (path, probed)
        exposed = named(overlay, "Service", service.name)["spec"]
        assert {(port["port"], port["targetPort"]) for port in exposed["ports"]} == {
            (number, name) for name, number in ports.items()
        }
        assert (
            exposed["selector"].items()
            <= deployment["spec"]["template"]["metadata"]["labels"].items()
        )
        assert exposed["selector"]["app.kubernetes.io/component"] == "service", (
            "not the pods of the Job"
        )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_has_the_time_that_its_end_takes(overlay: str) -> None:
    for deployment in of_ours(overlay, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        drain = int(
            environment_of(overlay, deployment).get("GATEWAY_DRAIN_SECONDS", SHUTDOWN_SECONDS)
        )
        assert (
            pod["terminationGracePeriodSeconds"]
            > container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
            + drain
            + STOP_SECONDS
        )
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": 1,
            "maxUnavailable": 0,
        }
        labels = deployment["spec"]["selector"]["matchLabels"]
        assert [
            spread["labelSelector"]["matchLabels"] for spread in pod["topologySpreadConstraints"]
        ] == [labels]
        [near] = pod["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        assert near["podAffinityTerm"]["labelSelector"]["matchLabels"] == labels
        assert named(overlay, "PodDisruptionBudget", app(deployment))["spec"] == {
            "maxUnavailable": 1,
            "selector": {"matchLabels": labels},
        }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_process_scales_on_cpu_and_lag_up_to_the_number_of_partitions(
    overlay: str,
) -> None:
    for scaler in of(overlay, "HorizontalPodAutoscaler"):
        service = OURS[scaler["metadata"]["name"]]
        spec = scaler["spec"]
        assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) == (
            "Deployment",
            service.name,
        )
        assert 1 <= spec["minReplicas"] < spec["maxReplicas"] <= PARTITIONS
        assert "replicas" not in named(overlay, "Deployment", service.name)["spec"], (
            "each apply would undo what the scaler has done"
        )
        metrics = {metric["type"]: metric for metric in spec["metrics"]}
        has_lag = bool(service.consumes and of(overlay, "PodMonitor"))
        assert metrics.keys() == ({"Resource", "External"} if has_lag else {"Resource"}), (
            "a missing metric keeps the scaler from scaling down"
        )
        if has_lag:
            metric = metrics["External"]["external"]["metric"]
            assert metric == {
                "name": "bina_consumer_lag_events",
                "selector": {"matchLabels": {"service": service.name}},
            }
    adapter = yaml.safe_load(
        (K8S / "components/monitoring/prometheus-adapter-values.yaml").read_text()
    )
    assert [rule["name"]["as"] for rule in adapter["rules"]["external"]] == [
        "bina_consumer_lag_events"
    ]
    telemetry = importlib.import_module("chassis.telemetry")
    assert "bina_consumer_lag_events" in {
        metric.name for metric in telemetry.CONSUMER_LAG.collect()
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_job_has_the_image_settings_and_secrets_of_its_pods(
    overlay: str,
) -> None:
    for job in of(overlay, "Job"):
        deployment = named(overlay, "Deployment", app(job))
        assert container(job)["command"] == ["python", "-m", OURS[app(job)].module, "prepare"]
        for shared in ("image", "envFrom", "env", "volumeMounts"):
            assert container(job)[shared] == container(deployment)[shared], shared
        assert (
            job["spec"]["template"]["spec"]["volumes"]
            == deployment["spec"]["template"]["spec"]["volumes"]
        )
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
        assert (
            job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
            == "prepare"
        )
