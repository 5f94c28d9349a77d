"""The bench `latency`: from a command's commit to its effect in another service, and commands through the gateway. Not here: the processes (subject.pair)."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from ops.bench import Result, progress
from ops.bench.subject.pair import Pair, door, pair

DRIVERS = ("motor", "pymongo")
RATES = (50, 200)
ROUNDS, SECONDS, WARMING_SECONDS = 5, 5.0, 2.0


async def run(mongo_url: str, kafka: str) -> Result:
    """Five rounds in which the drivers take turns; each figure is the median of what the rounds gave, in milliseconds."""
    return await measured(mongo_url, kafka)


async def measured(mongo_url: str, kafka: str, *, rounds: int = ROUNDS, seconds: float = SECONDS, warming: float = WARMING_SECONDS) -> Result:
    """The bench at any size."""
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as name:
        place = Path(name)
        async with AsyncExitStack() as stack:
            pairs: dict[str, Pair] = {driver: await stack.enter_async_context(pair(mongo_url, kafka, place, driver)) for driver in DRIVERS}
            by_default = pairs[DRIVERS[0]]
            address, bearer = await stack.enter_async_context(door(mongo_url, kafka, place, by_default.writing))
            for warmed in pairs.values():
                await warmed.effects(RATES[0], warming)
            await by_default.commands(address, bearer, RATES[0], warming)
            for number in range(rounds):
                for driver, asked in pairs.items():
                    for rate in RATES:
                        _note(samples, f"effect_{rate}_%s_ms_{driver}", await asked.effects(rate, seconds))
                _note(samples, f"command_{RATES[0]}_%s_ms", await by_default.commands(address, bearer, RATES[0], seconds))
                progress(f"{number + 1}/{rounds}")
    return Result(figures={name: statistics.median(values) for name, values in samples.items()})


def _note(samples: dict[str, list[float]], name: str, milliseconds: Sequence[float]) -> None:
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        samples[name % label].append(quantile(milliseconds, share))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
