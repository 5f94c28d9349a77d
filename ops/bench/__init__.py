"""The command `bench`: runs one measurement on servers of its own and tells its figures. Each other module here that has a `run` is a bench."""

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
CACHE_GB = 2.0  # holds all that a bench writes: what does not fit is measured by the disk


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What a bench found: figures with their unit in the name, ratios of two figures measured in the same run."""

    figures: Mapping[str, float]
    ratios: Mapping[str, float] = field(default_factory=dict[str, float])


BenchRun = Callable[[str, str], Awaitable[BenchResult]]  # (mongo_url, kafka)


def find_benches() -> dict[str, BenchRun]:
    """The benches by name."""
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
    """Run it and print what it found; the exit status."""
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
        sys.stdout.write(
            json.dumps(
                {
                    "bench": name,
                    "machine": describe_machine(),
                    "figures": dict(result.figures),
                    "ratios": dict(result.ratios),
                }
            )
            + "\n"
        )
    else:
        shown = Table(name, "", box=None)
        for label, value in {**result.figures, **result.ratios}.items():
            shown.add_row(label, f"{value:,.3f}")
        Console().print(shown)
    return 0


def print_progress(text: str) -> None:
    """Tell a person who waits how far a bench is; a program that reads us learns nothing of it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"bench: {text}\n")


async def _run_bench(run: BenchRun, seconds: float) -> BenchResult:
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as place:
        async with (
            asyncio.timeout(seconds),
            _open_mongo(Path(place) / "mongod") as mongo_url,
            _open_kafka(Path(place) / "kafka") as kafka,
        ):
            return await run(mongo_url, kafka)


def _open_mongo(data: Path) -> AbstractAsyncContextManager[str]:
    own = os.environ.get("BINA_MONGO_URL")
    return (
        ephemeral_servers.use_existing(own)
        if own
        else ephemeral_servers.running_mongod(data, CACHE_GB)
    )


def _open_kafka(data: Path) -> AbstractAsyncContextManager[str]:
    own = os.environ.get("BINA_KAFKA")
    return ephemeral_servers.use_existing(own) if own else ephemeral_servers.running_kafka(data)


def describe_machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),  # of the last minute, our own work included
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
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
