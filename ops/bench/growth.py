"""The bench `growth`: what an event costs with other numbers of partitions, a longer backlog, a larger archive. Not here: the service that is measured (subject)."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.bench import BenchResult, describe_machine, print_progress
from ops.bench.system_under_test.backlog import Backlog, filled_backlog
from ops.local.state_dir import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- made by ./bina bench growth: begin -->\n", "<!-- end -->"
DRIVER = "motor"
EVENTS, TIMES, ROUNDS = 20_000, 10, 3
SECONDS = 240.0  # of the frame's 270


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthCase:
    """One line of the table. `name` as in the figures."""

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
    DOCUMENT.write_text(
        replace_table(DOCUMENT.read_text(encoding="utf-8"), render_table(result)), encoding="utf-8"
    )
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
    """The bench at any size; microseconds per event. Long cases are measured once, the others as often as there is time for, at most `rounds` times."""
    costs: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    deadline, longest = loop.time() + SECONDS, 0.0
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as place:
        async with AsyncExitStack() as stack:
            waiting: dict[GrowthCase, Backlog] = {}
            for case in cases:
                waiting[case] = await stack.enter_async_context(
                    filled_backlog(
                        mongo_url,
                        kafka,
                        Path(place),
                        events * case.times,
                        partitions=case.partitions,
                    )
                )
            for number in range(rounds):
                short = {
                    case: filled
                    for case, filled in waiting.items()
                    if case.times == 1 and not case.archive_times
                }
                if number and loop.time() + longest > deadline:
                    break
                began = loop.time()
                for case, filled in short.items():
                    await _measure_case(costs, case, filled, events)
                longest = max(longest, loop.time() - began)
                for case in cases if not number else ():
                    if case not in short:
                        await _measure_case(costs, case, waiting[case], events)
    figures = {name: statistics.median(values) for name, values in costs.items()}
    usual = cases[0].name
    return BenchResult(
        figures=figures,
        ratios={
            name.removesuffix("_us"): figures[f"{part}_{usual}_us"] / value
            for name, value in figures.items()
            for part in [name.partition("_")[0]]
        },
    )


async def _measure_case(
    costs: dict[str, list[float]], case: GrowthCase, filled_backlog: Backlog, events: int
) -> None:
    found = await filled_backlog.run_consumer(
        DRIVER, relay=True, archive=case.archive_times * events
    )
    costs[f"consumer_{case.name}_us"].append(1e6 / found["events_per_s"])
    costs[f"relay_{case.name}_us"].append(1e6 / found["rows_per_s"])
    print_progress(case.title)


def render_table(result: BenchResult) -> str:
    """The figures as Markdown, with the machine they were measured on."""
    machine = describe_machine()
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {machine['cores']} cores ({machine['processor']}), load {machine['load']}, driver {DRIVER}.",
        "Microseconds per event; in brackets the speed, that of the first line being 1.",
        "",
        "| | consumer | relay |",
        "|---|---|---|",
    ]
    for case in CASES:
        cells = [
            f"{result.figures[f'{part}_{case.name}_us']:.0f} ({result.ratios[f'{part}_{case.name}']:.2f})"
            for part in ("consumer", "relay")
        ]
        lines.append(f"| {case.title} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def replace_table(document: str, new_table: str) -> str:
    """The document with this table between its marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + begin + new_table + end + after
