"""The bench `latency`: from a command's commit to its effect in another service, and commands through the gateway. Not here: the processes (subject.pair)."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ops.bench import Result, progress
from ops.bench.system_under_test.processes import door, pair

DRIVERS = ("motor", "pymongo")
RATES = (50, 200)
ROUNDS, SECONDS, WARMING_SECONDS = 5, 5.0, 2.0


async def run(mongo_url: str, kafka: str) -> Result:
    """Five rounds in which the drivers take turns; each figure is the median of what the rounds gave, in milliseconds."""
    return await measured(mongo_url, kafka)


async def measured(
    mongo_url: str,
    kafka: str,
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    warming: float = WARMING_SECONDS,
) -> Result:
    """The bench at any size. What is not measured does not run: two idle services take a tenth of a core."""
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as name:
        place = Path(name)
        for number in range(rounds):
            for driver in DRIVERS:
                async with pair(mongo_url, kafka, place, driver) as services:
                    await services.effects(RATES[0], warming)
                    for rate in RATES:
                        _note(
                            samples,
                            f"effect_{rate}_%s_ms_{driver}",
                            await services.effects(rate, seconds),
                        )
                    if driver == DRIVERS[0]:
                        async with door(mongo_url, kafka, place, services.writing) as (
                            address,
                            bearer,
                        ):
                            await services.commands(address, bearer, RATES[0], warming)
                            _note(
                                samples,
                                f"command_{RATES[0]}_%s_ms",
                                await services.commands(address, bearer, RATES[0], seconds),
                            )
            progress(f"{number + 1}/{rounds}")
    return Result(figures={name: statistics.median(values) for name, values in samples.items()})


def _note(samples: dict[str, list[float]], name: str, milliseconds: Sequence[float]) -> None:
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        samples[name % label].append(quantile(milliseconds, share))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
