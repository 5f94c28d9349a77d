"""The memory of training's containers holds the process and the children that read files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from services.training.snapshots import upload_process

ROOT = Path(__file__).parents[2]
NEEDED_MIB = upload_process.PARENT_MIB + upload_process.CHILDREN * upload_process.CHILD_MIB


def test_parent_and_children_fit_into_the_container_of_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    limit = compose["services"]["training"]["mem_limit"]
    assert int(limit.removesuffix("m")) > NEEDED_MIB


def test_parent_and_children_fit_into_the_container_of_kubernetes() -> None:
    manifest = (ROOT / "deploy/k8s/base/training.yaml").read_text()
    [deployment] = [one for one in yaml.safe_load_all(manifest) if one["kind"] == "Deployment"]
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    limit = container["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Mi")) > NEEDED_MIB
    confined = yaml.safe_load((ROOT / "deploy/k8s/base/confined.yaml").read_text())
    patched = confined["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert "memory" not in patched, "the patch of all Deployments would replace the limit"
