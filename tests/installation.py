"""A whole system for a test: `./bina` in a directory and on ports of its own."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from ops.local import platform_checks, topology
from ops.local.state_dir import ROOT

BINA = ROOT / "bina"
# far more than an idle machine needs: tests run in parallel
READY_SECONDS = 150.0


class Installation:
    """A system with a directory and ports that no other test uses."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_block()
        inherited = {name: value for name, value in os.environ.items() if name[:5] != "BINA_"}
        self.env = inherited | {"BINA_DIR": str(home), "BINA_PORT": str(self.port)}

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
        """Return all processes of this installation."""
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
    """Return the first of as many free ports in a row as the system needs."""
    return platform_checks.find_free_port_range(topology.KAFKA_CONTROLLER.offset + 1)


def eventually(holds: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Poll a condition until it holds, without an event loop (async: `tests.fakes.eventually`).

    Raises AssertionError when it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.1)
