"""The command `bench`: runs one measurement on servers of its own and prints its figures.

Each module of this folder with a function `run` is a bench. Not here: minimum figures, or a history
of them.
"""

import asyncio
import importlib
import json
import os
import pkgutil
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from ops.errors import OperatorError
from ops.local import ephemeral_servers, platform_checks

MAX_SECONDS = 270.0
# Everything that a bench writes fits into this cache; otherwise the bench would measure the disk.
CACHE_GB = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """Figures with their unit in the name, and ratios of two figures of the same run."""

    figures: Mapping[str, float]
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])


BenchRun = Callable[[str, str], Awaitable[BenchResult]]  # (mongo_url, kafka)


def find_benches() -> dict[str, BenchRun]:
    """Return the benches by name."""
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
        if not module.ispkg
    }
    return {
        name.replace("_", "-"): module.run
        for name, module in modules.items()
        if hasattr(module, "run")
    }


def bench(
    name: str,
    *,
    as_json: bool,
    benches: Mapping[str, BenchRun] | None = None,
    seconds: float = MAX_SECONDS,
) -> int:
    """Run a bench and print its result; return the exit status."""
    choices = find_benches() if benches is None else benches
    if name not in choices:
        listed = ", ".join(sorted(choices)) or "-"
        raise OperatorError(
            f"Tidak ada bench {name!r}; yang ada: {listed}.",
            f"There is no bench {name!r}; there are: {listed}.",
        )
    try:
        result = asyncio.run(_run_bench(choices[name], seconds))
    except TimeoutError:
        raise OperatorError(
            f"Bench {name} tidak selesai dalam {seconds:.0f} detik.",
            f"The bench {name} did not end within {seconds:.0f} seconds.",
        ) from None
    if as_json:
        report = {
            "bench": name,
            "machine": describe_machine(),
            "figures": dict(result.figures),
            "ratios": dict(result.ratios),
        }
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        table = Table(name, "", box=None)
        for label, value in {**result.figures, **result.ratios}.items():
            table.add_row(label, f"{value:,.3f}")
        Console().print(table)
    return 0


def print_progress(text: str) -> None:
    """Write progress to stderr if that is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"bench: {text}\n")


async def _run_bench(run: BenchRun, seconds: float) -> BenchResult:
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as directory:
        async with (
            asyncio.timeout(seconds),
            _open_mongo(Path(directory) / "mongod") as mongo_url,
            _open_kafka(Path(directory) / "kafka") as kafka,
        ):
            return await run(mongo_url, kafka)


def _open_mongo(data: Path) -> AbstractAsyncContextManager[str]:
    existing = os.environ.get("BINA_MONGO_URL")
    if existing:
        return ephemeral_servers.use_existing(existing)
    return ephemeral_servers.running_mongod(data, CACHE_GB)


def _open_kafka(data: Path) -> AbstractAsyncContextManager[str]:
    existing = os.environ.get("BINA_KAFKA")
    if existing:
        return ephemeral_servers.use_existing(existing)
    return ephemeral_servers.running_kafka(data)


def describe_machine() -> dict[str, Any]:
    """Return the machine that ran the bench; `load` of the last minute includes the bench."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "memory_mib": psutil.virtual_memory().total // platform_checks.MIB,
        "processor": _processor_name(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
