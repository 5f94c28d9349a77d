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

from ops.bench import Result, progress, this_machine
from ops.bench.system_under_test.backlog import Backlog, backlog
from ops.local.state_dir import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- made by ./bina bench growth: begin -->\n", "<!-- end -->"
DRIVER = "motor"
EVENTS, TIMES, ROUNDS = 20_000, 10, 3
SECONDS = 240.0  # of the frame's 270


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table. `name` as in the figures."""

    name: str
    words: str
    partitions: int = 12
    times: int = 1
    archive_times: int = 0


CASES = (
    Case(name="usual", words="12 partitions, empty archive"),
    Case(name="partitions_1", words="1 partition", partitions=1),
    Case(name="partitions_4", words="4 partitions", partitions=4),
    Case(
        name="archive_10x",
        words="12 partitions, 10 times as many sent rows in the outbox",
        archive_times=TIMES,
    ),
    Case(name="backlog_10x", words="12 partitions, 10 times the backlog", times=TIMES),
)


async def run(mongo_url: str, kafka: str) -> Result:
    """Measure, and write the table into docs/performance.md."""
    result = await measured(mongo_url, kafka)
    DOCUMENT.write_text(
        with_table(DOCUMENT.read_text(encoding="utf-8"), table(result)), encoding="utf-8"
    )
    progress(f"{DOCUMENT.relative_to(ROOT)}: tabel diperbarui")
    return result


async def measured(
    mongo_url: str,
    kafka: str,
    *,
    events: int = EVENTS,
    rounds: int = ROUNDS,
    cases: Sequence[Case] = CASES,
) -> Result:
    """The bench at any size; microseconds per event. Long cases are measured once, the others as often as there is time for, at most `rounds` times."""
    costs: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    deadline, longest = loop.time() + SECONDS, 0.0
    with tempfile.TemporaryDirectory(prefix="bina-bench-") as place:
        async with AsyncExitStack() as stack:
            waiting: dict[Case, Backlog] = {}
            for case in cases:
                waiting[case] = await stack.enter_async_context(
                    backlog(
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
                    await _note(costs, case, filled, events)
                longest = max(longest, loop.time() - began)
                for case in cases if not number else ():
                    if case not in short:
                        await _note(costs, case, waiting[case], events)
    figures = {name: statistics.median(values) for name, values in costs.items()}
    usual = cases[0].name
    return Result(
        figures=figures,
        ratios={
            name.removesuffix("_us"): figures[f"{part}_{usual}_us"] / value
            for name, value in figures.items()
            for part in [name.partition("_")[0]]
        },
    )


async def _note(costs: dict[str, list[float]], case: Case, filled: Backlog, events: int) -> None:
    found = await filled.applied(DRIVER, relay=True, archive=case.archive_times * events)
    costs[f"consumer_{case.name}_us"].append(1e6 / found["events_per_s"])
    costs[f"relay_{case.name}_us"].append(1e6 / found["rows_per_s"])
    progress(case.words)


def table(result: Result) -> str:
    """The figures as Markdown, with the machine they were measured on."""
    machine = this_machine()
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
        lines.append(f"| {case.words} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def with_table(document: str, made: str) -> str:
    """The document with this table between its marks."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + begin + made + end + after
