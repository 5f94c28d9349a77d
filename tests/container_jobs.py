"""The jobs `backup` and `restore` of docker-compose.yml, run without Docker.

Directories replace image and volumes. Not here: tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from ops.local.state_dir import ROOT

SERVICES = cast(
    "dict[str, dict[str, Any]]",
    yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"],
)
DOCKERFILE = ROOT / "deploy/compose/commands.Dockerfile"


def image(directory: Path) -> Path:
    """Make a directory with all that the Dockerfile copies; .dockerignore must allow it."""
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    directory.mkdir(parents=True)
    for line in DOCKERFILE.read_text().splitlines():
        if line.startswith("COPY "):
            _, source, target = line.split()
            assert source in allowed, source
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.md")
                shutil.copytree(ROOT / source, directory / target, ignore=ignored)
            else:
                shutil.copy(ROOT / source, directory / target)
    return directory


def mounted(name: str, root: Path, volumes: Mapping[str, Path]) -> None:
    """Link each volume of the job to its path below `root`, outer ones first."""
    pairs = [cast("list[str]", volume.split(":"))[:2] for volume in SERVICES[name]["volumes"]]
    for volume, target in sorted(pairs, key=lambda pair: pair[1].count("/")):
        directory = root / target.removeprefix("/")
        directory.parent.mkdir(parents=True, exist_ok=True)
        if not directory.is_symlink():
            directory.symlink_to(volumes[volume])


def run(name: str, root: Path, kafka: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the job's command in its image, with the variables of docker-compose.yml only."""
    here = SERVICES[name]
    variables = cast("dict[str, str]", here["environment"])
    env = {
        variable: str(root / value.removeprefix("/"))
        if value.startswith("/")
        else value.replace("kafka:9092", kafka)
        for variable, value in variables.items()
    }
    command = [sys.executable, *here["entrypoint"][1:], *arguments]
    return subprocess.run(
        command,
        cwd=root / "app",
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
