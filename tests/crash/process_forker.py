"""A process with loaded packages that forks a killable process for every line of input.

A forked process starts in a fifth of the time. Not here: what it does.

`python -m tests.crash.process_forker LOG` reads one JSON document a line. It answers each with the
exit code of the forked process (negative: the signal that ended it).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import uvloop

# Our own code is not preloaded: each process imports it, with ids and clocks of its own.
PACKAGES = (
    *(
        "aiohttp",
        "aiokafka.admin",
        "cryptography.hazmat.primitives.asymmetric.ed25519",
        "fastapi",
        "httpx2",
        "jwt",
        "motor.motor_asyncio",
        "opentelemetry.sdk.trace",
    ),
    *("prometheus_client", "pydantic_settings", "pymongo", "structlog", "uuid_utils", "uvicorn"),
)


def begin(report: dict[str, Any], log: Path) -> None:
    """Run the killable process, with all output in the log. Called in the forked process."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    from tests.crash.killable_process import live  # noqa: PLC0415 - after the fork

    uvloop.run(live(report))


def main(log: Path) -> None:
    """Fork for each line of stdin, wait, and print the exit code."""
    for name in PACKAGES:
        importlib.import_module(name)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                begin(json.loads(line), log)
            finally:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
