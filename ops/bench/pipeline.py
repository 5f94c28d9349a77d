"""The bench `pipeline`: Bina's consumer and relay beside the reference programs, in turn, in one run. Not here: the service that is measured (subject)."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from ops.bench import BenchResult, print_progress, programs
from ops.bench.system_under_test.backlog import Backlog, filled_backlog

DRIVERS = ("motor", "pymongo")
DEFAULT_DRIVER = DRIVERS[0]
BATCH = 500
EVENTS, ROUNDS = 20_000, 5
MAX_SECONDS = 240.0  # of the frame's 270: the rest starts and ends the servers
SECONDS_PREFIX = "seconds_of_"

RunReference = Callable[..., Awaitable[dict[str, float]]]


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Five rounds, or as many as fit; figures are medians, ratios are ratios of medians."""
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
    """The bench at any size. FastStream takes as long as all else together: it has its turn while there is time for it, at least once a driver."""
    samples: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    deadline, longest = loop.time() + seconds, 0.0
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as place:
        async with (
            filled_backlog(mongo_url, kafka, Path(place), events) as good,
            filled_backlog(mongo_url, kafka, Path(place), events, bad=True) as bad,
        ):
            for number in range(rounds):
                if number and loop.time() + longest > deadline:
                    break
                began = loop.time()
                await _run_round(good, bad, reference, samples)
                longest = max(longest, loop.time() - began)
                for driver in DRIVERS:
                    began = loop.time()
                    if (
                        not number
                        or began
                        + max(samples[f"{SECONDS_PREFIX}faststream_{driver}"])
                        + longest * (rounds - 1 - number)
                        < deadline
                    ):
                        samples[f"faststream_{driver}"].append(
                            (
                                await reference(
                                    "faststream_pipeline.py", env=_program_environment(good, driver)
                                )
                            )["events_per_s"]
                        )
                        samples[f"{SECONDS_PREFIX}faststream_{driver}"].append(loop.time() - began)
                print_progress(f"{number + 1}/{rounds}")
    return _build_result(samples)


async def _run_round(
    good: Backlog, bad: Backlog, reference: RunReference, samples: dict[str, list[float]]
) -> None:
    raw = await reference("raw_kafka.py", env=_program_environment(good, DEFAULT_DRIVER))
    samples["raw_produce"].append(raw["produce_per_s"])
    samples["raw_consume"].append(raw["consume_per_s"])
    for driver in DRIVERS:
        samples[f"hand_{driver}"].append(
            (
                await reference(
                    "hand_pipeline.py", str(BATCH), env=_program_environment(good, driver)
                )
            )["events_per_s"]
        )
        bina = await good.run_consumer(driver, relay=True)
        samples[f"consumer_{driver}"].append(bina["events_per_s"])
        samples[f"relay_{driver}"].append(bina["rows_per_s"])
        samples[f"hand_relay_{driver}"].append(
            (await reference("hand_relay.py", env=_program_environment(good, driver)))["rows_per_s"]
        )
    samples["with_bad_events"].append((await bad.run_consumer(DEFAULT_DRIVER))["events_per_s"])


def _program_environment(servers: Backlog, driver: str) -> dict[str, str]:
    """The environment of a reference program."""
    return {
        **os.environ,
        "BINA_MONGO_URL": servers.mongo_url,
        "BINA_KAFKA": servers.kafka,
        "BINA_MONGO_DRIVER": driver,
    }


def _build_result(samples: Mapping[str, list[float]]) -> BenchResult:
    middle = {name: statistics.median(values) for name, values in samples.items()}
    figures = {
        f"{name}_per_s": value
        for name, value in middle.items()
        if not name.startswith(SECONDS_PREFIX)
    }
    figures |= {
        "rounds": len(samples["raw_produce"]),
        **{
            f"faststream_rounds_{driver}": len(samples[f"faststream_{driver}"])
            for driver in DRIVERS
        },
    }
    ratios: dict[str, float] = {}
    for driver in DRIVERS:
        ratios |= {
            name + ("" if driver == DEFAULT_DRIVER else f"_{driver}"): middle[f"{mine}_{driver}"]
            / middle[theirs]
            for name, mine, theirs in (
                ("consumer_to_hand", "consumer", f"hand_{driver}"),
                ("consumer_to_faststream", "consumer", f"faststream_{driver}"),
                ("relay_to_hand", "relay", f"hand_relay_{driver}"),
                ("relay_to_raw", "relay", "raw_produce"),
            )
        }
    return BenchResult(
        figures=figures,
        ratios=ratios
        | {"with_bad_events": middle["with_bad_events"] / middle[f"consumer_{DEFAULT_DRIVER}"]},
    )
