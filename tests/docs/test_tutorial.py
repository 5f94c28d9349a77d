"""The commands of docs/tutorial.md succeed in order, with the output that the page shows."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.local.state_dir import ROOT
from tests.installation import Installation

TUTORIAL = ROOT / "docs/tutorial.md"
FIRST_PORT = 7080  # the port of the gateway on the page
SETTLING_SECONDS = 30.0  # an effect of an earlier command may arrive a moment later
VARIABLE = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\d+(?:[.:]\d+)*"  # ids, numbers, times
DONE = "tutorial-command-ended"

pytestmark = [pytest.mark.needs("curl"), pytest.mark.timeout(400)]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the page, with the output that the page shows below it."""

    command: str
    output: str


def steps(page: str) -> Iterator[Step]:
    """Yield the commands of all `console` blocks in order; a final backslash continues one."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.replace("\\\n", "").partition("\n")
            yield Step(command, output)


def pattern(output: str) -> re.Pattern[str]:
    """Return what the output must match; `...` is anything, an id or number any of its kind."""
    tokens = re.split(rf"(\.\.\.|{VARIABLE}|\s+)", output.strip())
    return re.compile("".join(_matching(token) for token in tokens), re.DOTALL)


def _matching(token: str) -> str:
    if token == "...":
        return ".*?"
    if re.fullmatch(VARIABLE, token):
        return f"(?:{VARIABLE})"
    if token.isspace():
        return r"\s+"
    return re.escape(token)


class Shell:
    """A bash that keeps its variables between commands, as the reader's does."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._bash = subprocess.Popen(
            ["bash"],  # noqa: S607 - found in PATH
            cwd=ROOT,
            env=installation.env | {"COLUMNS": "120", "LANG": "id_ID.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Run the command; return its exit status and its output."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._bash.stdin.write(f"{self._here(command)}\necho {DONE} $?\n")
        self._bash.stdin.flush()
        lines: list[str] = []
        for line in self._bash.stdout:
            before, ended, status = line.partition(DONE)
            lines.append(before)
            if ended:
                return int(status), "".join(lines)
        raise AssertionError(f"bash ended at: {command}")

    def close(self) -> None:
        """End the shell."""
        self._bash.communicate("exit\n")

    def _here(self, command: str) -> str:
        """Return the command with the ports of this installation instead of the page's."""
        return re.sub(
            r"(?<=127\.0\.0\.1:)70\d\d",
            lambda port: str(int(port[0]) - FIRST_PORT + self._installation.port),
            command,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """Yield a shell for an installation that the page itself starts and stops."""
    installation = Installation(tmp_path / "bina")
    shell = Shell(installation)
    yield shell
    shell.close()
    installation.bina("down")
    assert installation.processes() == []


def test_every_command_succeeds_and_prints_what_the_page_shows(shell: Shell) -> None:
    for step in steps(TUTORIAL.read_text()):
        expected = pattern(step.output)
        deadline = time.monotonic() + SETTLING_SECONDS
        status, output = shell.run(step.command)
        while not expected.search(output) and _reads_only(step) and time.monotonic() < deadline:
            status, output = shell.run(step.command)
        assert status == 0, (step.command, output)
        assert expected.search(output), f"{step.command}\n{output}\nis not\n{step.output}"


def test_the_page_has_commands_that_start_call_and_stop() -> None:
    commands = [step.command for step in steps(TUTORIAL.read_text())]
    assert commands[0] == "./bina up --detach"
    assert commands[-1] == "./bina down"
    assert any("-X POST" in command for command in commands)


def test_a_pattern_accepts_other_ids_and_numbers_and_no_other_words() -> None:
    shown = pattern('{"class_id":"01a22b96-5ad4-7681-8afa-232fa78473db",...,"state":"OPEN"} 2.0')
    assert shown.search(
        '{"class_id":"0f000000-0000-7000-8000-000000000001","x":1,"state":"OPEN"} 13'
    )
    assert not shown.search(
        '{"class_id":"0f000000-0000-7000-8000-000000000001","x":1,"state":"DRAFT"} 13'
    )


def _reads_only(step: Step) -> bool:
    """Return whether the command may run again: it shows something and changes nothing."""
    return (
        bool(step.output)
        and "-X POST" not in step.command
        and not re.search(r"bina (up|down|demo)", step.command)
    )
