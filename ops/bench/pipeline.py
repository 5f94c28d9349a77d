"""The bench `pipeline`: Bina's consumer and relay beside the reference programs, in turn, in one run. Not here: the service that is measured (subject)."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from ops.bench import Result, programs, progress
from ops.bench.system_under_test.backlog import Backlog, backlog

DRIVERS = ("motor", "pymongo")
DEFAULT = DRIVERS[0]
BATCH = 500
EVENTS, ROUNDS = 20_000, 5
SECONDS = 240.0  # of the frame's 270: the rest starts and ends the servers
SECONDS_OF = "seconds_of_"

Reference = Callable[..., Awaitable[dict[str, float]]]


async def run(mongo_url: str, kafka: str) -> Result:
    """Five rounds, or as many as fit; figures are medians, ratios are ratios of medians."""
    return await measured(mongo_url, kafka)


async def measured(
    mongo_url: str,
    kafka: str,
    *,
    events: int = EVENTS,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    reference: Reference = programs.reference,
) -> Result:
    """The bench at any size. FastStream takes as long as all else together: it has its turn while there is time for it, at least once a driver."""
    samples: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    deadline, longest = loop.time() + seconds, 0.0
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as place:
        async with (
            backlog(mongo_url, kafka, Path(place), events) as good,
            backlog(mongo_url, kafka, Path(place), events, bad=True) as bad,
        ):
            for number in range(rounds):
                if number and loop.time() + longest > deadline:
                    break
                began = loop.time()
                await _round(good, bad, reference, samples)
                longest = max(longest, loop.time() - began)
                for driver in DRIVERS:
                    began = loop.time()
                    if (
                        not number
                        or began
                        + max(samples[f"{SECONDS_OF}faststream_{driver}"])
                        + longest * (rounds - 1 - number)
                        < deadline
                    ):
                        samples[f"faststream_{driver}"].append(
                            (await reference("faststream_pipeline.py", env=_told(good, driver)))[
                                "events_per_s"
                            ]
                        )
                        samples[f"{SECONDS_OF}faststream_{driver}"].append(loop.time() - began)
                progress(f"{number + 1}/{rounds}")
    return _result(samples)


async def _round(
    good: Backlog, bad: Backlog, reference: Reference, samples: dict[str, list[float]]
) -> None:
    raw = await reference("raw_kafka.py", env=_told(good, DEFAULT))
    samples["raw_produce"].append(raw["produce_per_s"])
    samples["raw_consume"].append(raw["consume_per_s"])
    for driver in DRIVERS:
        samples[f"hand_{driver}"].append(
            (await reference("hand_pipeline.py", str(BATCH), env=_told(good, driver)))[
                "events_per_s"
            ]
        )
        bina = await good.applied(driver, relay=True)
        samples[f"consumer_{driver}"].append(bina["events_per_s"])
        samples[f"relay_{driver}"].append(bina["rows_per_s"])
        samples[f"hand_relay_{driver}"].append(
            (await reference("hand_relay.py", env=_told(good, driver)))["rows_per_s"]
        )
    samples["with_bad_events"].append((await bad.applied(DEFAULT))["events_per_s"])


def _told(servers: Backlog, driver: str) -> dict[str, str]:
    """The environment of a reference program."""
    return {
        **os.environ,
        "BINA_MONGO_URL": servers.mongo_url,
        "BINA_KAFKA": servers.kafka,
        "BINA_MONGO_DRIVER": driver,
    }


def _result(samples: Mapping[str, list[float]]) -> Result:
    middle = {name: statistics.median(values) for name, values in samples.items()}
    figures = {
        f"{name}_per_s": value for name, value in middle.items() if not name.startswith(SECONDS_OF)
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
            name + ("" if driver == DEFAULT else f"_{driver}"): middle[f"{mine}_{driver}"]
            / middle[theirs]
            for name, mine, theirs in (
                ("consumer_to_hand", "consumer", f"hand_{driver}"),
                ("consumer_to_faststream", "consumer", f"faststream_{driver}"),
                ("relay_to_hand", "relay", f"hand_relay_{driver}"),
                ("relay_to_raw", "relay", "raw_produce"),
            )
        }
    return Result(
        figures=figures,
        ratios=ratios
        | {"with_bad_events": middle["with_bad_events"] / middle[f"consumer_{DEFAULT}"]},
    )
