"""Runs programs that print their figures as one JSON object of numbers.

Not here: what the numbers mean.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ops.errors import OperatorError
from ops.local import processes
from ops.local.state_dir import ROOT

REFERENCE_DIRECTORY = Path(__file__).with_name("reference")
GRACE_SECONDS = 2.0
_DROP_PROGRAM = """
import asyncio, sys, common_events
for topic in sys.argv[1:]:
    asyncio.run(common_events.dropped(topic, None, ''))
print('{}')
"""


async def run_program(*command: str, env: Mapping[str, str], cwd: Path = ROOT) -> dict[str, float]:
    """Run a Python program; return the last line that is a JSON object of numbers.

    Raises OperatorError with the end of the output when the program fails or prints no such line.
    """
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as directory:
        log = Path(directory) / "log"
        process = processes.spawn([sys.executable, *command], log, env=env, cwd=cwd)
        try:
            status = await asyncio.to_thread(process.wait)
        finally:
            if process.poll() is None:
                processes.end(process, grace=GRACE_SECONDS)
        lines = log.read_text(errors="replace").splitlines()
        parsed = [_parse_numbers(line) for line in lines]
        objects = [numbers for numbers in parsed if numbers is not None]
        if status or not objects:
            title = " ".join(command[:3])
            raise OperatorError(
                f"Program {title} gagal (status {status}). Baris terakhir:\n{processes.tail(log)}",
                f"The program {title} failed (status {status}). Last lines:\n{processes.tail(log)}",
            )
        return objects[-1]


async def run_reference(program: str, *arguments: str, env: Mapping[str, str]) -> dict[str, float]:
    """Run one of the reference programs from its own folder."""
    return await run_program(program, *arguments, env=env, cwd=REFERENCE_DIRECTORY)


async def drop_topics(*topics: str, env: Mapping[str, str]) -> None:
    """Delete topics in a process of its own, with the function of the reference programs."""
    await run_program("-c", _DROP_PROGRAM, *topics, env=env, cwd=REFERENCE_DIRECTORY)


def _parse_numbers(line: str) -> dict[str, float] | None:
    try:
        content: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    numbers = cast("dict[str, Any]", content)
    return numbers if all(isinstance(value, int | float) for value in numbers.values()) else None
