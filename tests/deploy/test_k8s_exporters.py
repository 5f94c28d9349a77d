"""The component `exporters` in an overlay, and the exporter of nodes beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from ops.docs import metrics
from ops.local.state_dir import ROOT
from tests.deploy.k8s import K8S, Object

pytestmark = pytest.mark.needs("kustomize")
CRDS = Path(__file__).parent / "crds"
VERSIONS = {it.job: f"{it.image}:{it.version}" for it in metrics.read_exporters()}
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def built(directory: Path) -> list[Object]:
    done = subprocess.run(
        ["kustomize", "build", str(directory)],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(params=["region", "national"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> list[Object]:
    """Build an overlay with the component, as an installation's own overlay does."""
    here = os.path.relpath(K8S, tmp_path.resolve())
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "bina",
        "resources": [f"{here}/overlays/{request.param}"],
        "components": [f"{here}/components/exporters"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return built(tmp_path)


def validate(item: Object) -> None:
    for schema in (CRDS / f"{item['kind']}.json", CRDS / f"components/{item['kind']}.json"):
        if schema.exists():
            checker: Any = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
            checker.validate(item)
            return
    kubernetes_validate.validate(item, "1.37", strict=True)


def find(objects: list[Object], kind: str, name: str) -> Object:
    [item] = [it for it in objects if (it["kind"], it["metadata"]["name"]) == (kind, name)]
    return item


def container(objects: list[Object], kind: str, name: str) -> Any:
    [only] = find(objects, kind, name)["spec"]["template"]["spec"]["containers"]
    return only


def test_every_object_with_the_exporters_fits_its_schema(objects: list[Object]) -> None:
    for item in objects:
        validate(item)


def test_an_exporter_is_confined_and_has_the_listed_version(objects: list[Object]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    images = {
        name: container(objects, "Deployment", name)["image"]
        for name in ("mongodb-exporter", "tls-exporter")
    }
    assert images["tls-exporter"] == VERSIONS["tls"]
    own = compose["mongodb-exporter"]["image"]
    assert re.fullmatch(rf"{own}:\d+\.\d+\.\d+", images["mongodb-exporter"])
    for name in images:
        assert container(objects, "Deployment", name)["securityContext"] == CONFINED


def test_the_user_of_the_exporter_has_the_rights_of_compose(objects: list[Object]) -> None:
    for mongo in (it for it in objects if it["kind"] == "MongoDBCommunity"):
        [role] = mongo["spec"]["security"]["roles"]
        [privilege] = role["privileges"]
        assert privilege == {
            "resource": {"cluster": True},
            "actions": ["replSetGetStatus", "replSetGetConfig", "getCmdLineOpts"],
        }
        assert role["roles"] == []
        [user] = [it for it in mongo["spec"]["users"] if it["name"] == role["role"]]
        assert user["roles"] == [{"name": role["role"], "db": "admin"}]


def test_each_exporter_is_scraped_under_its_job_and_region(objects: list[Object]) -> None:
    jobs = {it["spec"]["jobName"] for it in objects if it["kind"] == "Probe"}
    for monitor in (it for it in objects if it["kind"] == "PodMonitor"):
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        labels = {it["targetLabel"]: it.get("replacement") for it in endpoint["relabelings"]}
        assert labels["region"] in {"sample", "nasional"}
        jobs.add(labels["job"])
    assert jobs == {"bina"} | VERSIONS.keys() - {"node"}


def test_the_probes_watch_every_public_host_by_a_module(objects: list[Object]) -> None:
    config = find(objects, "Deployment", "tls-exporter")["spec"]["template"]["spec"]["volumes"]
    [name] = [it["configMap"]["name"] for it in config if "configMap" in it]
    modules = yaml.safe_load(find(objects, "ConfigMap", name)["data"]["tls.yml"])["modules"]
    probes = {it["spec"]["module"]: it["spec"] for it in objects if it["kind"] == "Probe"}
    assert probes.keys() == modules.keys()
    [tls] = find(objects, "Ingress", "gateway")["spec"]["tls"]
    public = probes["public"]["targets"]["staticConfig"]["static"]
    assert {target.removesuffix(":443") for target in public} == set(tls["hosts"])


def test_the_node_exporter_reads_its_host_and_changes_nothing() -> None:
    objects = built(K8S / "node-exporter")
    for item in objects:
        validate(item)
    only = container(objects, "DaemonSet", "node-exporter")
    assert (only["image"], only["securityContext"]) == (VERSIONS["node"], CONFINED)
    assert [mount["readOnly"] for mount in only["volumeMounts"]] == [True]
    assert not only.keys() & {"env", "envFrom"}
    spec = find(objects, "DaemonSet", "node-exporter")["spec"]["template"]["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert spec["securityContext"]["runAsNonRoot"] is True
