"""Each image holds what it runs and nothing else."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops.local import kafka_permissions, topology
from ops.local.state_dir import ROOT
from tests import container_jobs, syntax_trees
from tests.deploy.test_locks import entries

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
DOCKERFILES = {
    service.name: ROOT / service.module.replace(".", "/") / "Dockerfile"
    for service in topology.PROCESSES
}
SERVERS = ("mongo", "kafka")
FULL_VERSION = re.compile(r":v?\d+\.\d+\.\d+(?:-[a-z-]+)?(?:@sha256:[0-9a-f]{64})?$")
JOBS = ("secrets", "mongo-users", "kafka-users", "whole")
BY_HAND = ("backup", "restore")
LASTING = (*SERVERS, *(service.name for service in topology.PROCESSES))
WATCHERS = ("prometheus", "alertmanager", "oncall", "grafana")
CONFINED = (*LASTING, *JOBS, *WATCHERS, kafka_permissions.OPERATOR, *BY_HAND)


def test_the_image_of_backup_and_restore_holds_all_that_they_import(
    tmp_path: Path,
) -> None:
    assert {SERVICES[name]["build"]["dockerfile"] for name in BY_HAND} == {
        str(container_jobs.DOCKERFILE.relative_to(ROOT))
    }
    asked = (
        "import json, sys; own = {*sys.modules};"
        " import ops.cli, ops.backup.create, ops.backup.restore;"
        " print(json.dumps(sorted({*sys.modules} - own)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=container_jobs.image(tmp_path / "app"),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app/pyproject.toml").is_file(), "a backup says of which version it is"
    known = packages_distributions()
    imported = {
        name.lower()
        for module in json.loads(done.stdout)
        for name in known.get(module.partition(".")[0], ())
    }
    assert {"rich", "typer", "psutil"} <= imported
    locked = entries("requirements-runtime.lock") | entries("requirements-commands.lock")
    packages = {name.replace("_", "-") for name in imported}
    installed = {name for name in packages if not name.endswith("-stubs")}
    assert installed <= locked.keys()
    assert "USER 10001" in (text := container_jobs.DOCKERFILE.read_text())
    assert "-r requirements-commands.lock" in text
    assert (
        "install -d -o bina -g bina -m 700 /bina /bina/certification /bina/certification/keys_dir"
        in text
    ), "whose a volume is that is new when a restore comes"


def imported_ops_modules(module: str) -> set[str]:
    """Return the modules of `ops` that this one imports at its top, as dotted names."""
    tree = syntax_trees.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ops"):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            names.add(node.module or "")
    return {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()}


def test_the_setup_jobs_have_every_module_that_they_import() -> None:
    dockerfile = (ROOT / "deploy/compose/Dockerfile").read_text()
    modules = re.findall(r" (ops/[\w/]+)\.py\b", dockerfile)
    copied = {module.replace("/", ".") for module in modules}
    needed = {"ops.__init__", "ops.local.__init__"}
    waiting = {"ops.local.container_setup"}
    while waiting:
        module = waiting.pop()
        needed.add(module)
        waiting |= imported_ops_modules(module) - needed
    assert copied == needed
    for path in (ROOT / "ops/oncall").glob("*.py"):
        imported = imported_ops_modules(f"ops.oncall.{path.stem}")
        assert {name for name in imported if not name.startswith("ops.oncall")} <= needed


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_an_image_holds_its_folder_and_the_chassis_and_is_unprivileged(
    service: topology.Service,
) -> None:
    lines = DOCKERFILES[service.name].read_text().splitlines()
    own = service.module.replace(".", "/")
    copied = [line for line in lines if line.startswith("COPY ")]
    assert copied == [
        "COPY requirements-runtime.lock .",
        "COPY chassis chassis",
        *(["COPY services/__init__.py services/"] if "/" in own else []),
        f"COPY {own} {own}",
    ]
    assert "FROM python:3.11.14-slim-bookworm" in lines
    assert "USER 10001" in lines
    assert f'CMD ["python", "-m", "{service.module}"]' in lines


def test_every_foreign_image_has_a_full_version_tag() -> None:
    """A tag such as `8.0` or `v3` names another image after each release."""
    images = {service["image"] for service in SERVICES.values() if "image" in service}
    for path in [*ROOT.glob("deploy/**/*Dockerfile"), *DOCKERFILES.values()]:
        images |= set(re.findall(r"^FROM (\S+)", path.read_text(), re.MULTILINE))
    for path in (ROOT / "deploy/k8s").rglob("*.yaml"):
        images |= set(re.findall(r"^\s*(?:- )?image: (\S+)$", path.read_text(), re.MULTILINE))
    foreign = {image for image in images if not image.startswith("bina/")}
    floating = {image for image in foreign if not FULL_VERSION.search(image)}
    assert len(foreign) > len(SERVERS)
    assert floating == set()


def test_all_images_share_their_layers_up_to_the_packages() -> None:
    heads = {
        path.read_text().partition("\nFROM ")[2].partition("COPY chassis")[0]
        for path in [
            *DOCKERFILES.values(),
            ROOT / "deploy/compose/Dockerfile",
            container_jobs.DOCKERFILE,
        ]
    }
    assert len(heads) == 1
