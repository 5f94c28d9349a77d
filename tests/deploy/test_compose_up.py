"""docker-compose.yml as it is: it comes up, the story goes through, the watch tells whoever is on duty, the command that upgrades keeps the data. `./bina test --compose`."""

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
HEALTHY = {"mongo", "kafka", *(service.name for service in parts.OURS), "prometheus", "alertmanager", "rota"}
ON_DUTY = "bina-test-on-duty"
TAKES = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Taking(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["content-length"])).decode(), flush=True)
        self.send_response(202)
        self.end_headers()
HTTPServer(("0.0.0.0", 8080), Taking).serve_forever()
"""


class Stack:
    """A project of its own: containers, networks, volumes and ports that nobody else uses."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_block()
        rota = home / "rota.toml"  # everybody is reached where ON_DUTY listens
        rota.write_text((ROOT / "deploy/monitoring/rota.toml").read_text().replace('"mailto:', f'"http://{ON_DUTY}:8080/').replace("@bina.example", ""))
        ports = {"BINA_PORTS": f"{self.port}-{self.port + 3}", "PROMETHEUS_PORT": str(self.port + 9), "ROTA_PORT": str(self.port + 10), "ROTA_FILE": str(rota)}
        self.env = os.environ | ports | {"BINA_DIR": str(home), "BINA_PORT": str(self.port)}

    def docker(self, *arguments: str) -> str:
        done = subprocess.run(["docker", *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)  # noqa: S607 - found in PATH
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def compose(self, *arguments: str) -> str:
        return self.docker("compose", "-p", PROJECT, *arguments)

    def up(self) -> None:
        """The one command, and wait until all that say how they are say that they are well."""
        self.compose(*UPGRADE)
        eventually(lambda: self.healthy() == HEALTHY)

    def healthy(self) -> set[str]:
        return {line.partition(" ")[0] for line in self.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines() if line.endswith(" healthy")}

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

    def targets(self) -> dict[str, str]:
        """How Prometheus finds each part."""
        with urllib.request.urlopen(f"http://{machine.LOOPBACK}:{self.port + 9}/api/v1/targets") as answer:
            return {one["labels"]["service"]: one["health"] for one in json.load(answer)["data"]["activeTargets"]}

    def alertmanager(self, *arguments: str) -> str:
        return self.compose("exec", "-T", "alertmanager", "amtool", "--alertmanager.url=http://127.0.0.1:9093", "alert", *arguments)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    here = Stack(tmp_path)
    try:
        yield here
    finally:
        subprocess.run(["docker", "rm", "--force", ON_DUTY], capture_output=True, check=False)  # noqa: S607 - found in PATH; it may never have been
        here.compose("down", "--volumes", "--timeout", "10")


@pytest.mark.needs("docker")
@pytest.mark.timeout(1_800)  # the first build of the images
def test_the_system_comes_up_is_watched_and_the_command_that_upgrades_it_keeps_its_data(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up()
    before = stack.story(monkeypatch, capsys)

    eventually(lambda: stack.targets() == dict.fromkeys((service.name for service in parts.OURS), "up"))
    eventually(lambda: "Watchdog" in stack.alertmanager("query"))  # Prometheus tells Alertmanager
    stack.docker("run", "--rm", "--detach", "--name", ON_DUTY, "--network", f"{PROJECT}_alerts", "--entrypoint", "python", "bina/prepare", "-c", TAKES)
    words = ("--annotation=summary=Ini uji", "--annotation=summary_en=This is a test", "--annotation=runbook=docs/runbooks/PartDown.md")
    stack.alertmanager("add", "alertname=PartDown", "severity=page", "service=kafka", *words)
    eventually(lambda: "Ini uji" in stack.docker("logs", ON_DUTY))  # Alertmanager tells the rota, and the rota whoever is on duty
    stack.docker("rm", "--force", ON_DUTY)

    stack.compose("down")  # the containers go, the volumes stay
    stack.up()
    checked = f"http://{machine.LOOPBACK}:{stack.port + 2}/V/{before['certificate_url'].rpartition('/')[2]}"
    with urllib.request.urlopen(checked) as page:
        assert page.status == 200
    after = stack.story(monkeypatch, capsys)
    assert after["books"]["debit"] == after["books"]["credit"] == 2 * before["books"]["debit"]
