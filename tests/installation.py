"""A whole system of its own for a test: `./bina` in a directory and on ports nobody else uses."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from ops.errors import OperatorError
from ops.local import platform_checks, topology
from ops.local.state_dir import ROOT

BINA = ROOT / "bina"
READY_SECONDS = 150.0  # far beyond what a quiet machine needs: tests run beside each other


class Installation:
    """A system of its own: directory and ports nobody else uses."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_block()
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith("BINA_")
        } | {"BINA_DIR": str(home), "BINA_PORT": str(self.port)}

    def bina(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BINA, *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_SECONDS,
        )

    def status(self) -> dict[str, Any]:
        return json.loads(self.bina("status", "--json").stdout)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this place."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                if (
                    process.environ().get("BINA_DIR") == str(self.home)
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found


def free_block() -> int:
    """The first of as many free ports in a row as the system takes."""
    for _ in range(50):
        first = platform_checks.find_free_ports(1)[0]
        try:
            for port in range(first, first + topology.KAFKA_CONTROLLER.offset + 1):
                platform_checks.require_port(port, "test", "BINA_PORT")
        except OperatorError:
            continue
        return first
    raise AssertionError("no free ports")


def eventually(holds: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.1)  # between two looks at another process
