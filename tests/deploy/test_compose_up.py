"""docker-compose.yml as it is: it comes up, the story goes through, the command that upgrades it keeps its data. Needs Docker and the images; `./bina test --compose`."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import files, machine, parts
from ops.demo import demo
from ops.home import ROOT
from tests.place import eventually, free_block

PROJECT = "bina-test"
UPGRADE = ("up", "--build", "--detach", "--remove-orphans")  # as docs/operations.md has it


class Stack:
    """A project of its own: containers, networks, volumes and ports that nobody else uses."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_block()
        ports = {"BINA_PORTS": f"{self.port}-{self.port + 3}", "PROMETHEUS_PORT": str(self.port + 9)}
        self.env = os.environ | ports | {"BINA_DIR": str(home), "BINA_PORT": str(self.port)}

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(["docker", "compose", "-p", PROJECT, *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)  # noqa: S607 - found in PATH
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def up(self) -> None:
        """The one command, and wait until all are healthy."""
        self.compose(*UPGRADE)
        eventually(lambda: self.compose("ps", "--format", "{{.Health}}").split().count("healthy") == len(parts.OURS) + 2)

    def story(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        """Play it through the published doors; what it told."""
        secret = self.compose("exec", "gateway", "cat", "/secrets/gateway_development_key")
        place = self.home / "secrets" / "gateway"
        place.mkdir(parents=True, exist_ok=True)
        files.write(place / "gateway_development_key", secret)
        for name in ("BINA_DIR", "BINA_PORT"):
            monkeypatch.setenv(name, self.env[name])
        assert demo(as_json=True) == 0
        return json.loads(capsys.readouterr().out)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    here = Stack(tmp_path)
    try:
        yield here
    finally:
        here.compose("down", "--volumes", "--timeout", "10")


@pytest.mark.needs("docker")
@pytest.mark.timeout(1_800)  # the first build of the images
def test_the_system_comes_up_from_images_and_the_command_that_upgrades_it_keeps_its_data(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up()
    before = stack.story(monkeypatch, capsys)
    stack.compose("down")  # the containers go, the volumes stay
    stack.up()
    checked = f"http://{machine.LOOPBACK}:{stack.port + 2}/V/{before['certificate_url'].rpartition('/')[2]}"
    with urllib.request.urlopen(checked) as page:
        assert page.status == 200
    after = stack.story(monkeypatch, capsys)
    assert after["books"]["debit"] == after["books"]["credit"] == 2 * before["books"]["debit"]
