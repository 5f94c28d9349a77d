"""docker-compose.yml runs: demo, alerts, upgrade, backup and restore.

`./bina test --compose` runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.demo.run import run_demo
from ops.local import platform_checks, secret_files, topology
from ops.local.state_dir import ROOT
from tests.installation import eventually, free_block

PROJECT = "bina-test"
UPGRADE = ("up", "--build", "--detach", "--remove-orphans")  # as docs/operations.md has it
HEALTHY = {
    "mongo",
    "kafka",
    *(service.name for service in topology.PROCESSES),
    "prometheus",
    "alertmanager",
    "oncall",
}
ON_DUTY = "bina-test-on-duty"
DIRECTORIES = ("data", "custody", "people")  # of the host, for backup and restore
TAKES = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Taking(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["content-length"])).decode(), flush=True)
        self.send_response(202)
        self.end_headers()
HTTPServer(("0.0.0.0", 8080), Taking).serve_forever()
"""


class ComposeStack:
    """A project of its own: containers, networks, volumes and ports that nobody else uses."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_block()
        oncall = home / "oncall.toml"  # everybody is reached where ON_DUTY listens
        oncall.write_text(
            (ROOT / "deploy/monitoring/oncall.toml")
            .read_text()
            .replace('"mailto:', f'"http://{ON_DUTY}:8080/')
            .replace("@bina.example", "")
        )
        ports = {
            "BINA_PORTS": f"{self.port}-{self.port + 3}",
            "PROMETHEUS_PORT": str(self.port + 9),
            "ONCALL_PORT": str(self.port + 10),
            "ONCALL_FILE": str(oncall),
        }
        self.env = os.environ | ports | {"BINA_DIR": str(home), "BINA_PORT": str(self.port)}

    def docker(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", *arguments],  # noqa: S607 - found in PATH
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def compose(self, *arguments: str) -> str:
        return self.docker("compose", "-p", PROJECT, *arguments)

    def up(self) -> None:
        """Run the one command, and wait until every health check passes."""
        self.compose(*UPGRADE)
        eventually(lambda: self.healthy() == HEALTHY)

    def healthy(self) -> set[str]:
        return {
            line.partition(" ")[0]
            for line in self.compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines()
            if line.endswith(" healthy")
        }

    def checks(self, certificate_url: str) -> bool:
        """Return whether the check page of a certificate answers."""
        host = f"http://{platform_checks.LOOPBACK}:{self.port + 2}"
        address = f"{host}/V/{certificate_url.rpartition('/')[2]}"
        with urllib.request.urlopen(address) as page:  # noqa: S310 - our own server
            return page.status == 200

    def story(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> dict[str, Any]:
        """Play the demo through the published ports; return its report."""
        secret = self.compose("exec", "gateway", "cat", "/secrets/gateway_development_key")
        directory = self.home / "secrets" / "gateway"
        directory.mkdir(parents=True, exist_ok=True)
        secret_files.write_private(directory / "gateway_development_key", secret)
        for name in ("BINA_DIR", "BINA_PORT"):
            monkeypatch.setenv(name, self.env[name])
        assert run_demo(as_json=True) == 0
        return json.loads(capsys.readouterr().out)

    def by_hand(self, job: str, *arguments: str) -> bool:
        """Return whether `backup` or `restore`, run with the host's directories, succeeded.

        Services must have stopped before.
        """
        mounts = [f"--volume={self.home / name}:/{name}" for name in DIRECTORIES]
        command = [
            "docker",
            "compose",
            "-p",
            PROJECT,
            "run",
            "--rm",
            "--no-TTY",
            "--build",
            *mounts,
            job,
            *arguments,
        ]
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or "still run" in done.stdout + done.stderr, (
            done.stdout[-2000:] + done.stderr[-2000:]
        )
        return done.returncode == 0

    def put_back(self) -> None:
        """Make a backup, leave its project without a volume, and restore it into a new one."""
        for name in DIRECTORIES:
            (self.home / name).mkdir()
            (self.home / name).chmod(0o777)  # the jobs run as a user of their own
        for name in ("reader", "kepala", "tu"):
            subprocess.run(
                [sys.executable, "-m", "ops.cli", "key", str(self.home / "people" / name)],
                cwd=ROOT,
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
        for key in (self.home / "people").iterdir():
            key.chmod(0o644)
        assert self.by_hand(
            "backup",
            "/data",
            "--reader=/people/reader.pub",
            "--custody=/custody",
            "--holder=/people/kepala.pub",
            "--holder=/people/tu.pub",
        )
        [made] = (self.home / "data").iterdir()
        self.compose("down", "--volumes", "--timeout", "10")
        self.up()
        self.compose("stop", *(service.name for service in topology.PROCESSES))
        keys = (
            f"--custody=/custody/{made.name}.keys",
            "--reader-key=/people/reader",
            "--holder-key=/people/kepala",
            "--holder-key=/people/tu",
            "--replace",
        )
        eventually(lambda: self.by_hand("restore", f"/data/{made.name}", *keys))
        self.up()

    def targets(self) -> dict[str, str]:
        """Return the health of each process as Prometheus scrapes it."""
        with urllib.request.urlopen(
            f"http://{platform_checks.LOOPBACK}:{self.port + 9}/api/v1/targets"
        ) as answer:
            return {
                one["labels"]["service"]: one["health"]
                for one in json.load(answer)["data"]["activeTargets"]
            }

    def alertmanager(self, *arguments: str) -> str:
        return self.compose(
            "exec",
            "-T",
            "alertmanager",
            "amtool",
            "--alertmanager.url=http://127.0.0.1:9093",
            "alert",
            *arguments,
        )


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[ComposeStack]:
    here = ComposeStack(tmp_path)
    try:
        yield here
    finally:
        remove = ["docker", "rm", "--force", ON_DUTY]
        subprocess.run(remove, capture_output=True, check=False)
        here.compose("down", "--volumes", "--timeout", "10")


@pytest.mark.needs("docker")
@pytest.mark.timeout(1_800)  # the first build of the images
def test_compose_starts_keeps_data_in_an_upgrade_and_restores_a_backup(
    stack: ComposeStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.up()
    before = stack.story(monkeypatch, capsys)

    eventually(
        lambda: (
            stack.targets() == dict.fromkeys((service.name for service in topology.PROCESSES), "up")
        )
    )
    eventually(lambda: "Watchdog" in stack.alertmanager("query"))  # Prometheus reaches Alertmanager
    stack.docker(
        "run",
        "--rm",
        "--detach",
        "--name",
        ON_DUTY,
        "--network",
        f"{PROJECT}_alerts",
        "--entrypoint",
        "python",
        "bina/prepare",
        "-c",
        TAKES,
    )
    words = (
        "--annotation=summary=Ini uji",
        "--annotation=summary_en=This is a test",
        "--annotation=runbook=docs/runbooks/ProcessDown.md",
    )
    stack.alertmanager("add", "alertname=ProcessDown", "severity=page", "service=kafka", *words)
    # Alertmanager posts to the on-call server, which notifies the person on call.
    eventually(lambda: "Ini uji" in stack.docker("logs", ON_DUTY))
    stack.docker("rm", "--force", ON_DUTY)

    stack.compose("down")  # the containers go, the volumes stay
    stack.up()
    assert stack.checks(before["certificate_url"])
    after = stack.story(monkeypatch, capsys)
    assert after["books"]["debit"] == after["books"]["credit"] == 2 * before["books"]["debit"]

    stack.put_back()
    for url in (before["certificate_url"], after["certificate_url"]):
        assert stack.checks(url)
    restored = stack.story(monkeypatch, capsys)
    assert restored["books"]["debit"] == restored["books"]["credit"] == 3 * before["books"]["debit"]
