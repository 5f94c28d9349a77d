"""The bench `growth`: the cost of an event by partitions, backlog and archive.

Not here: the measured service (system_under_test).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.bench import BenchResult, describe_machine, print_progress
from ops.bench.system_under_test.backlog import Backlog, filled_backlog
from ops.local.state_dir import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN = "<!-- made by ./bina bench growth: begin -->\n"
END = "<!-- end -->"
DRIVER = "motor"
EVENTS = 20_000
TIMES = 10
ROUNDS = 3
# The rest of the 270 s of a bench starts and ends the servers.
SECONDS = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthCase:
    """One line of the table; `name` is part of its figures' names."""

    name: str
    title: str
    partitions: int = 12
    times: int = 1
    archive_times: int = 0


CASES = (
    GrowthCase(name="usual", title="12 partitions, empty archive"),
    GrowthCase(name="partitions_1", title="1 partition", partitions=1),
    GrowthCase(name="partitions_4", title="4 partitions", partitions=4),
    GrowthCase(
        name="archive_10x",
        title="12 partitions, 10 times as many sent rows in the outbox",
        archive_times=TIMES,
    ),
    GrowthCase(name="backlog_10x", title="12 partitions, 10 times the backlog", times=TIMES),
)


async def run(mongo_url: str, kafka: str) -> BenchResult:
    """Measure, and write the table into docs/performance.md."""
    result = await measure(mongo_url, kafka)
    document = replace_table(DOCUMENT.read_text(encoding="utf-8"), render_table(result))
    DOCUMENT.write_text(document, encoding="utf-8")
    print_progress(f"{DOCUMENT.relative_to(ROOT)}: tabel diperbarui")
    return result


async def measure(
    mongo_url: str,
    kafka: str,
    *,
    events: int = EVENTS,
    rounds: int = ROUNDS,
    cases: Sequence[GrowthCase] = CASES,
) -> BenchResult:
    """Run the bench at any size; return microseconds per event.

    Long cases run once. The others run up to `rounds` times, as time allows.
    """
    costs: dict[str, list[float]] = defaultdict(list)
    clock = asyncio.get_running_loop().time
    deadline = clock() + SECONDS
    longest_round = 0.0
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as directory:
        async with AsyncExitStack() as stack:
            backlogs: dict[GrowthCase, Backlog] = {}
            for case in cases:
                count = events * case.times
                backlog = filled_backlog(
                    mongo_url, kafka, Path(directory), count, partitions=case.partitions
                )
                backlogs[case] = await stack.enter_async_context(backlog)
            short = [case for case in cases if case.times == 1 and not case.archive_times]
            long = [case for case in cases if case not in short]
            for number in range(rounds):
                began = clock()
                if number and began + longest_round > deadline:
                    break
                for case in short:
                    await _measure_case(costs, case, backlogs[case], events)
                longest_round = max(longest_round, clock() - began)
                if number == 0:
                    for case in long:
                        await _measure_case(costs, case, backlogs[case], events)
    figures = {name: statistics.median(values) for name, values in costs.items()}
    return BenchResult(figures=figures, ratios=_speeds(figures, cases[0]))


def _speeds(figures: Mapping[str, float], usual: GrowthCase) -> dict[str, float]:
    """Return the speed of each figure relative to the usual case."""
    speeds: dict[str, float] = {}
    for name, value in figures.items():
        side = name.partition("_")[0]
        speeds[name.removesuffix("_us")] = figures[f"{side}_{usual.name}_us"] / value
    return speeds


async def _measure_case(
    costs: dict[str, list[float]], case: GrowthCase, backlog: Backlog, events: int
) -> None:
    archive = case.archive_times * events
    result = await backlog.run_consumer(DRIVER, relay=True, archive=archive)
    costs[f"consumer_{case.name}_us"].append(1e6 / result["events_per_s"])
    costs[f"relay_{case.name}_us"].append(1e6 / result["rows_per_s"])
    print_progress(case.title)


def render_table(result: BenchResult) -> str:
    """Return the figures as Markdown, with the machine they were measured on."""
    machine = describe_machine()
    processor = f"{machine['cores']} cores ({machine['processor']})"
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {processor}, load {machine['load']}, driver {DRIVER}.",
        "Microseconds per event; in brackets the speed, that of the first line being 1.",
        "",
        "| | consumer | relay |",
        "|---|---|---|",
    ]
    for case in CASES:
        consumer = _cell(result, f"consumer_{case.name}")
        relay = _cell(result, f"relay_{case.name}")
        lines.append(f"| {case.title} | {consumer} | {relay} |")
    return "\n".join(lines) + "\n"


def _cell(result: BenchResult, name: str) -> str:
    return f"{result.figures[f'{name}_us']:.0f} ({result.ratios[name]:.2f})"


def replace_table(document: str, new_table: str) -> str:
    """Return the document with this table between its markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + begin + new_table + end + after
