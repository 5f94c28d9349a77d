"""Programs that a bench runs and that answer with one JSON object of numbers. Not here: which ones, and what their numbers mean."""

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
_DROP_PROGRAM = "import asyncio, sys, common_events; [asyncio.run(common_events.dropped(topic, None, '')) for topic in sys.argv[1:]]; print('{}')"


async def run_program(*command: str, env: Mapping[str, str], cwd: Path = ROOT) -> dict[str, float]:
    """Run a Python program to its end; the last line of it that is an object of numbers. Raises OperatorError, with the end of what it wrote."""
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as place:
        log = Path(place) / "log"
        process = processes.spawn([sys.executable, *command], log, env=env, cwd=cwd)
        try:
            status = await asyncio.to_thread(process.wait)
        finally:
            if process.poll() is None:
                processes.end(process, grace=GRACE_SECONDS)
        found = [
            numbers
            for line in reversed(log.read_text(errors="replace").splitlines())
            if (numbers := _parse_numbers(line)) is not None
        ]
        if status or not found:
            raise OperatorError(
                f"Program {' '.join(command[:3])} gagal (status {status}). Baris terakhir:\n{processes.tail(log)}",
                f"The program {' '.join(command[:3])} failed (status {status}); its last lines stand above.",
            )
        return found[0]


async def run_reference(program: str, *arguments: str, env: Mapping[str, str]) -> dict[str, float]:
    """One of the reference programs, as it is."""
    return await run_program(program, *arguments, env=env, cwd=REFERENCE_DIRECTORY)


async def drop_topics(*topics: str, env: Mapping[str, str]) -> None:
    """Delete topics as the reference programs delete theirs."""
    await run_program("-c", _DROP_PROGRAM, *topics, env=env, cwd=REFERENCE_DIRECTORY)


def _parse_numbers(line: str) -> dict[str, float] | None:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    numbers = cast("dict[str, Any]", found)
    return numbers if all(isinstance(value, int | float) for value in numbers.values()) else None
