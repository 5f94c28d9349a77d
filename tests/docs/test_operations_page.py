"""docs/operations.md: its sums, the order of upgrades, and the commands that it names."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from ops import cli
from ops.local import topology
from ops.local.state_dir import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()


def table(heading: str) -> list[list[str]]:
    """Return the rows of the table whose header begins with these words."""
    _, _, rest = PAGE.partition(f"| {heading}")
    lines = rest.splitlines()[2:]
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in lines[
            : next(place for place, line in enumerate(lines) if not line.strip().startswith("|"))
        ]
    ]


def figure(words: str) -> float:
    [row] = [row for row in table("figure |") if row[0].startswith(words)]
    return float(row[1].split()[0].replace(",", ""))


@pytest.mark.parametrize(
    "row", table("prisons | events a day"), ids=lambda row: f"{row[0]} prisons"
)
def test_a_size_follows_from_the_figures(row: list[str]) -> None:
    prisons, events, peak, mongo, kafka = (float(cell.replace(",", "")) for cell in row)
    a_day = prisons * figure("events of a prison a day")
    assert events == a_day
    assert peak == pytest.approx(a_day * figure("share of a day's events") / 7_200, rel=0.15)
    assert mongo == pytest.approx(a_day * figure("MongoDB on disk") * 365 / 1e6, rel=0.05)
    assert kafka == pytest.approx(
        a_day * figure("Kafka on disk") * figure("how long Kafka") / 1e6, rel=0.35
    )  # one copy on each broker, rounded up


def test_sizes_are_given_for_1_to_500_prisons() -> None:
    assert (
        [row[0] for row in table("prisons | events a day")]
        == [row[0] for row in table("prisons | ours")]
        == ["1", "10", "100", "500"]
    )


def test_readers_of_a_service_are_those_that_listen_to_it() -> None:
    answer = {
        service: set(readers.split(", ")) for service, readers in table("events of | are read by")
    }
    assert answer == {
        service.name: {
            reader.name for reader in topology.PROCESSES if service.name in reader.consumes
        }
        for service in topology.SERVICES
    }


def test_the_commands_and_files_that_it_names_are_there() -> None:
    known = get_command(cli.app)
    for command in re.findall(r"\./bina ([a-z]+)", PAGE):
        assert command in getattr(known, "commands", {}), command
    for path in re.findall(r"`((?:tests|deploy|docs|ops)/[\w./-]+)`", PAGE):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\(([\w./-]+)\)", PAGE):
        assert (ROOT / "docs" / path).exists(), path
