"""The bench `pipeline`: Bina's consumer and relay beside the reference programs, in one run.

A service without business rules does the work of the reference programs; manpower does its own.
Not here: both services and their events (system_under_test).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.bench import BenchResult, print_progress, programs
from ops.bench.system_under_test.backlog import (
    Backlog,
    filled_backlog,
    filled_manpower_backlog,
)

DRIVERS = ("motor", "pymongo")
DEFAULT_DRIVER = DRIVERS[0]
BATCH = 500
EVENTS = 20_000
ROUNDS = 5
# The rest of the 270 s of a bench starts and ends the servers.
MAX_SECONDS = 240.0
SECONDS_PREFIX = "seconds_of_"

RunReference = Callable[..., Awaitable[dict[str, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backlogs:
    """The backlogs of one run; `bad` holds bad events between good ones."""

    good: Backlog
    bad: Backlog
    manpower: Backlog


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Run five rounds, or as many as fit; figures are medians, ratios are ratios of medians."""
    return await measure(mongo_url, kafka)


async def measure(
    mongo_url: str,
    kafka: str,
    *,
    events: int = EVENTS,
    rounds: int = ROUNDS,
    seconds: float = MAX_SECONDS,
    reference: RunReference = programs.run_reference,
) -> BenchResult:
    """Run the bench at any size.

    FastStream takes as long as everything else together. So it runs at least once for each driver,
    and again only while there is time.
    """
    samples: dict[str, list[float]] = defaultdict(list)
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    longest_round = 0.0
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as directory:
        async with (
            filled_backlog(mongo_url, kafka, Path(directory), events) as good,
            filled_backlog(mongo_url, kafka, Path(directory), events, bad=True) as bad,
            filled_manpower_backlog(mongo_url, kafka, Path(directory), events) as manpower,
        ):
            backlogs = _Backlogs(good=good, bad=bad, manpower=manpower)
            for number in range(rounds):
                began = clock()
                if number and began + longest_round > deadline:
                    break
                await _run_round(backlogs, reference, samples)
                longest_round = max(longest_round, clock() - began)
                time_for_rounds = longest_round * (rounds - 1 - number)
                for driver in DRIVERS:
                    former_runs = samples[f"{SECONDS_PREFIX}faststream_{driver}"]
                    if number and clock() + max(former_runs) + time_for_rounds >= deadline:
                        continue
                    await _run_faststream(good, driver, reference, samples)
                print_progress(f"{number + 1}/{rounds}")
    return _build_result(samples)


async def _run_faststream(
    backlog: Backlog, driver: str, reference: RunReference, samples: dict[str, list[float]]
) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    result = await reference("faststream_pipeline.py", env=_program_environment(backlog, driver))
    samples[f"faststream_{driver}"].append(result["events_per_s"])
    samples[f"{SECONDS_PREFIX}faststream_{driver}"].append(clock() - began)


async def _run_round(
    backlogs: _Backlogs, reference: RunReference, samples: dict[str, list[float]]
) -> None:
    good = backlogs.good
    raw = await reference("raw_kafka.py", env=_program_environment(good, DEFAULT_DRIVER))
    samples["raw_produce"].append(raw["produce_per_s"])
    samples["raw_consume"].append(raw["consume_per_s"])
    for driver in DRIVERS:
        env = _program_environment(good, driver)
        hand = await reference("hand_pipeline.py", str(BATCH), env=env)
        samples[f"hand_{driver}"].append(hand["events_per_s"])
        bina = await good.run_consumer(driver, relay=True)
        samples[f"consumer_{driver}"].append(bina["events_per_s"])
        samples[f"relay_{driver}"].append(bina["rows_per_s"])
        manpower = await backlogs.manpower.run_consumer(driver)
        samples[f"service_consumer_{driver}"].append(manpower["events_per_s"])
        hand_relay = await reference("hand_relay.py", env=env)
        samples[f"hand_relay_{driver}"].append(hand_relay["rows_per_s"])
    with_bad_events = await backlogs.bad.run_consumer(DEFAULT_DRIVER)
    samples["with_bad_events"].append(with_bad_events["events_per_s"])


def _program_environment(servers: Backlog, driver: str) -> dict[str, str]:
    """Return the environment of a reference program on the servers of this backlog."""
    return {
        **os.environ,
        "BINA_MONGO_URL": servers.mongo_url,
        "BINA_KAFKA": servers.kafka,
        "BINA_MONGO_DRIVER": driver,
    }


def _build_result(samples: Mapping[str, list[float]]) -> BenchResult:
    medians = {name: statistics.median(values) for name, values in samples.items()}
    figures: dict[str, float] = {
        f"{name}_per_s": value
        for name, value in medians.items()
        if not name.startswith(SECONDS_PREFIX)
    }
    figures["rounds"] = len(samples["raw_produce"])
    for driver in DRIVERS:
        figures[f"faststream_rounds_{driver}"] = len(samples[f"faststream_{driver}"])
    ratios: dict[str, float] = {}
    for driver in DRIVERS:
        suffix = "" if driver == DEFAULT_DRIVER else f"_{driver}"
        consumer = medians[f"consumer_{driver}"]
        service = medians[f"service_consumer_{driver}"]
        relay = medians[f"relay_{driver}"]
        ratios |= {
            f"consumer_to_hand{suffix}": consumer / medians[f"hand_{driver}"],
            f"consumer_to_faststream{suffix}": consumer / medians[f"faststream_{driver}"],
            f"service_to_hand{suffix}": service / medians[f"hand_{driver}"],
            f"relay_to_hand{suffix}": relay / medians[f"hand_relay_{driver}"],
            f"relay_to_raw{suffix}": relay / medians["raw_produce"],
        }
    usual = medians[f"consumer_{DEFAULT_DRIVER}"]
    ratios["with_bad_events"] = medians["with_bad_events"] / usual
    return BenchResult(figures=figures, ratios=ratios)
