"""The bench `latency`: time from commit to effect, and of commands through the gateway.

Not here: the processes (system_under_test.processes).
"""

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
ROUNDS = 5
SECONDS = 5.0
WARM_UP_SECONDS = 2.0


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Run five rounds in which the drivers take turns; return medians in milliseconds."""
    return await measure(mongo_url, kafka)


async def measure(
    mongo_url: str,
    kafka: str,
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    warm_up_seconds: float = WARM_UP_SECONDS,
) -> BenchResult:
    """Run the bench at any size.

    Only the measured processes run at a time, because two idle services take a tenth of a core.
    """
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as name:
        directory = Path(name)
        for number in range(rounds):
            for driver in DRIVERS:
                async with start_pair(mongo_url, kafka, directory, driver) as services:
                    await services.measure_effects(RATES[0], warm_up_seconds)
                    for rate in RATES:
                        effects = await services.measure_effects(rate, seconds)
                        _add_percentiles(samples, f"effect_{rate}_%s_ms_{driver}", effects)
                    if driver != DRIVERS[0]:
                        continue
                    url = services.writing_url
                    async with start_gateway(mongo_url, kafka, directory, url) as (address, bearer):
                        rate = RATES[0]
                        await services.measure_commands(address, bearer, rate, warm_up_seconds)
                        answers = await services.measure_commands(address, bearer, rate, seconds)
                        _add_percentiles(samples, f"command_{rate}_%s_ms", answers)
            print_progress(f"{number + 1}/{rounds}")
    figures = {name: statistics.median(values) for name, values in samples.items()}
    return BenchResult(figures=figures)


def _add_percentiles(
    samples: dict[str, list[float]], name: str, milliseconds: Sequence[float]
) -> None:
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        samples[name % label].append(quantile(milliseconds, share))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
