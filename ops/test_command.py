"""The command `test`: runs the static checks and the tests. Not here: the tests."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ops.language import choose
from ops.local import state_dir
from ops.text_output import print_text

_BIN = Path(sys.executable).parent
_CHECKS = {
    "ruff": [str(_BIN / "ruff"), "check", "."],
    "import-linter": [str(_BIN / "lint-imports"), "--no-logo"],
    "basedpyright": [str(_BIN / "basedpyright")],
}
_SLOW_CHECKS = {"basedpyright"}
_MIN_PROCESSORS = 2
_MAX_PROCESSORS = 4


def run_tests(*, quick: bool, containers: bool, only: Sequence[str]) -> int:
    """Run the checks and the tests; return 0 only when all of them pass.

    `only` has options of tests/conftest.py for long tests, which run without the checks. The
    output ends with pytest's last line.
    """
    started_at = time.monotonic()
    failed: list[str] = []
    if not containers and not only:
        failed = _run_checks([name for name in _CHECKS if not (quick and name in _SLOW_CHECKS)])
    code, closing_line = _run_pytest(_options(quick, containers, only), to_stderr=False)
    if code:
        failed.append("pytest")
    verdict = choose("Semua terbukti", "All passed")
    if failed:
        verdict = f"{choose('GAGAL', 'FAILED')}: {', '.join(failed)}"
    seconds = f"{time.monotonic() - started_at:.0f}"
    duration = choose(f"dalam {seconds} detik", f"in {seconds} seconds")
    print_text(f"\n{verdict} {duration}.\n{closing_line}")
    return 1 if failed else 0


# The booleans are options of the command.
def _options(quick: bool, containers: bool, only: Sequence[str]) -> Sequence[str]:  # noqa: FBT001
    if only:
        return only
    if containers:
        return ["--containers"]
    return [*_worker_options(), "--quick"] if quick else _worker_options()


def run_scenarios(*, as_json: bool) -> int:
    """Run the tests of scenarios and list which are proved; return pytest's exit status."""
    with tempfile.TemporaryDirectory() as directory:
        answer = Path(directory) / "scenarios.json"
        options = [*_worker_options(), "--scenarios", str(answer)]
        code, closing_line = _run_pytest(options, to_stderr=as_json)
        scenarios: dict[str, list[str]] = {"proved": [], "missing": []}
        if answer.exists():
            scenarios = json.loads(answer.read_text())
    if as_json:
        sys.stdout.write(json.dumps(scenarios) + "\n")
        return code
    proved = scenarios["proved"]
    missing = scenarios["missing"]
    print_text(f"\n{choose('Terbukti', 'Proved')} ({len(proved)}): {', '.join(proved)}")
    print_text(f"{choose('Belum', 'Not proved')} ({len(missing)}): {', '.join(missing)}")
    print_text(closing_line)
    return code


def _run_checks(names: Sequence[str]) -> list[str]:
    """Run the named checks in parallel; print the output of failed ones and return their names."""
    running = {
        name: subprocess.Popen(
            _CHECKS[name],
            cwd=state_dir.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in names
    }
    failed: list[str] = []
    for name, process in running.items():
        output, _ = process.communicate()
        if process.returncode:
            failed.append(name)
            sys.stdout.write(output)
        result = choose("gagal", "failed") if process.returncode else choose("baik", "good")
        sys.stdout.write(f"{name}: {result}\n")
        sys.stdout.flush()
    return failed


def _worker_options() -> list[str]:
    """Return the options of pytest-xdist: one worker more than processors, as tests often wait.

    tests/schedule.py defines the unit of work of a worker.
    """
    processors = min(max(os.cpu_count() or _MIN_PROCESSORS, _MIN_PROCESSORS), _MAX_PROCESSORS)
    return ["-n", str(processors + 1), "--dist", "loadfile", "--no-loadscope-reorder"]


def _run_pytest(options: Sequence[str], *, to_stderr: bool) -> tuple[int, str]:
    """Run pytest and pass on its output at once; return its exit status and last line."""
    out = sys.stderr if to_stderr else sys.stdout
    closing_line = ""
    # The tests start hundreds of interpreters; without bytecode each compiles all our code.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "--durations=10", *options],
        cwd=state_dir.ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout or ():
            out.write(line)
            out.flush()
            closing_line = line.strip() or closing_line
    return process.returncode, closing_line
