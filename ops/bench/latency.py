"""The bench `latency`: time from commit to effect, and of commands through the gateway.

Not here: the processes (system_under_test.processes).
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ops.bench import MAX_SECONDS, BenchResult, print_progress
from ops.bench.system_under_test.processes import ServicePair, start_gateway, start_pair
from ops.errors import OperatorError
from ops.language import Bilingual, choose
from ops.text_output import print_error

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

    Only the measured processes run at a time, because two idle services take a tenth of a core. A
    machine that is too busy loses single samples or the last rounds; the rest is returned.
    """
    samples: dict[str, list[float]] = defaultdict(list)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as name:
        for number in range(rounds):
            for driver in DRIVERS:
                async with start_pair(mongo_url, kafka, Path(name), driver) as services:
                    await _measure_pair(services, samples, driver, seconds, warm_up_seconds)
                    if driver == DRIVERS[0]:
                        async with start_gateway(
                            mongo_url, kafka, Path(name), services.writing_url
                        ) as gateway:
                            await _measure_gateway(
                                services, gateway, samples, seconds, warm_up_seconds
                            )
            print_progress(f"{number + 1}/{rounds}")
            round_seconds = (time.monotonic() - began) / (number + 1)
            if time.monotonic() - began + round_seconds > MAX_SECONDS:
                _report_loss(Bilingual(f"hanya {number + 1} putaran", f"only {number + 1} rounds"))
                break
    figures = {name: statistics.median(values) for name, values in samples.items()}
    return BenchResult(figures=figures)


async def _measure_pair(
    services: ServicePair,
    samples: dict[str, list[float]],
    driver: str,
    seconds: float,
    warm_up_seconds: float,
) -> None:
    """Measure effects at each rate; a rate that the machine cannot carry gives no sample."""
    try:
        await services.measure_effects(RATES[0], warm_up_seconds)
        for rate in RATES:
            effects = await services.measure_effects(rate, seconds)
            _add_percentiles(samples, f"effect_{rate}_%s_ms_{driver}", effects)
    except OperatorError as error:
        _report_loss(Bilingual(error.indonesian, error.english))


async def _measure_gateway(
    services: ServicePair,
    gateway: tuple[str, str],
    samples: dict[str, list[float]],
    seconds: float,
    warm_up_seconds: float,
) -> None:
    """Measure commands through the gateway, given as its address and a bearer token."""
    rate = RATES[0]
    await services.measure_commands(*gateway, rate, warm_up_seconds)
    answers = await services.measure_commands(*gateway, rate, seconds)
    if refused := int(rate * seconds) - len(answers):
        _report_loss(Bilingual(f"{refused} perintah ditolak", f"{refused} commands were refused"))
    if answers:
        _add_percentiles(samples, f"command_{rate}_%s_ms", answers)


def _report_loss(what: Bilingual) -> None:
    """Say on stderr what a busy machine kept from being measured."""
    print_error(
        choose(
            f"Mesin ini terlalu sibuk: {what.indonesian}",
            f"This machine is too busy: {what.english}",
        )
    )


def _add_percentiles(
    samples: dict[str, list[float]], name: str, milliseconds: Sequence[float]
) -> None:
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        samples[name % label].append(quantile(milliseconds, share))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
