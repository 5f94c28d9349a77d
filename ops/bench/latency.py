"""The bench `latency`: from a command's commit to its effect in another service, and commands through the gateway. Not here: the processes (subject.pair)."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ops.bench import BenchResult, print_progress
from ops.bench.system_under_test.processes import start_gateway, start_pair

DRIVERS = ("motor", "pymongo")
RATES = (50, 200)
ROUNDS, SECONDS, WARM_UP_SECONDS = 5, 5.0, 2.0


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Five rounds in which the drivers take turns; each figure is the median of what the rounds gave, in milliseconds."""
    return await measure(mongo_url, kafka)


async def measure(
    mongo_url: str,
    kafka: str,
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> BenchResult:
    """The bench at any size. What is not measured does not run: two idle services take a tenth of a core."""
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as name:
        place = Path(name)
        for number in range(rounds):
            for driver in DRIVERS:
                async with start_pair(mongo_url, kafka, place, driver) as services:
                    await services.measure_effects(RATES[0], warm_up_seconds)
                    for rate in RATES:
                        _add_percentiles(
                            samples,
                            f"effect_{rate}_%s_ms_{driver}",
                            await services.measure_effects(rate, seconds),
                        )
                    if driver == DRIVERS[0]:
                        async with start_gateway(mongo_url, kafka, place, services.writing_url) as (
                            address,
                            bearer,
                        ):
                            await services.measure_commands(
                                address, bearer, RATES[0], warm_up_seconds
                            )
                            _add_percentiles(
                                samples,
                                f"command_{RATES[0]}_%s_ms",
                                await services.measure_commands(address, bearer, RATES[0], seconds),
                            )
            print_progress(f"{number + 1}/{rounds}")
    return BenchResult(
        figures={name: statistics.median(values) for name, values in samples.items()}
    )


def _add_percentiles(
    samples: dict[str, list[float]], name: str, milliseconds: Sequence[float]
) -> None:
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        samples[name % label].append(quantile(milliseconds, share))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
