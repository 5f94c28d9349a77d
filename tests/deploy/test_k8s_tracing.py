"""Spans leave a cluster only where an overlay takes the component `tracing`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from tests.deploy.k8s import K8S, OURS, OVERLAYS, Object, of, variables

pytestmark = pytest.mark.needs("kustomize")
VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


def with_tracing(directory: Path) -> list[Object]:
    """Build `region` with the tracing component, as an installation's own overlay does."""
    here = os.path.relpath(K8S, directory.resolve())
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "bina",
    }
    overlay |= {
        "resources": [f"{here}/overlays/region"],
        "components": [f"{here}/components/tracing"],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    built = subprocess.run(
        ["kustomize", "build", str(directory)],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def test_with_the_component_every_process_may_reach_the_collector(
    tmp_path: Path,
) -> None:
    made = with_tracing(tmp_path)
    [config_map] = [one for one in made if one["kind"] == "ConfigMap" and VARIABLE in one["data"]]
    for one in made:
        if one["kind"] == "Deployment" and one["metadata"]["name"] in OURS:
            [container] = one["spec"]["template"]["spec"]["containers"]
            assert config_map["metadata"]["name"] in {
                source["configMapRef"]["name"] for source in container["envFrom"]
            }
    assert all(VARIABLE in variables(name) for name in OURS)
    [policy] = [
        one
        for one in made
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "traces"
    ]
    kubernetes_validate.validate(policy, "1.37", strict=True)
    assert set(policy["spec"]["podSelector"]["matchExpressions"][0]["values"]) == OURS.keys()
    where = urlsplit(str(config_map["data"][VARIABLE]))
    [going] = policy["spec"]["egress"]
    [peer] = going["to"]
    name = peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert (where.hostname, [one["port"] for one in going["ports"]]) == (
        f"{name}.{namespace}.svc",
        [where.port],
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_without_the_component_no_collector_is_configured(overlay: str) -> None:
    assert [one for one in of(overlay, "ConfigMap") if VARIABLE in one["data"]] == []
