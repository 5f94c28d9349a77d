"""The command `test`: everything that proves the system. Not here: any test."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ops.local import state_dir

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

    `only` names long tests (options of tests/conftest.py) that run alone, without the checks. The
    output ends with pytest's closing line.
    """
    started_at = time.monotonic()
    failed: list[str] = []
    if not containers and not only:
        failed = _run_checks([name for name in _CHECKS if not (quick and name in _SLOW_CHECKS)])
    code, closing_line = _run_pytest(_options(quick, containers, only), to_stderr=False)
    if code:
        failed.append("pytest")
    verdict = f"GAGAL: {', '.join(failed)}" if failed else "Semua terbukti"
    seconds = time.monotonic() - started_at
    sys.stdout.write(f"\n{verdict} dalam {seconds:.0f} detik.\n{closing_line}\n")
    return 1 if failed else 0


# The parameters of the command.
def _options(quick: bool, containers: bool, only: Sequence[str]) -> Sequence[str]:  # noqa: FBT001
    if only:
        return only
    if containers:
        return ["--containers"]
    return [*_worker_options(), "--quick"] if quick else _worker_options()


def run_scenarios(*, as_json: bool) -> int:
    """Run the tests of scenarios and list the proved ones; return the status of the tests."""
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
    sys.stdout.write(f"\nTerbukti ({len(proved)}): {', '.join(proved)}\n")
    sys.stdout.write(f"Belum ({len(missing)}): {', '.join(missing)}\n{closing_line}\n")
    return code


def _run_checks(names: Sequence[str]) -> list[str]:
    """Run the named checks side by side; print what failed, and return the names."""
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
        sys.stdout.write(f"{name}: {'gagal' if process.returncode else 'baik'}\n")
        sys.stdout.flush()
    return failed


def _worker_options() -> list[str]:
    """Return how pytest shares the work: one worker more than processors, as tests often wait.

    tests/schedule.py says what a worker takes as one.
    """
    processors = min(max(os.cpu_count() or _MIN_PROCESSORS, _MIN_PROCESSORS), _MAX_PROCESSORS)
    return ["-n", str(processors + 1), "--dist", "loadfile", "--no-loadscope-reorder"]


def _run_pytest(options: Sequence[str], *, to_stderr: bool) -> tuple[int, str]:
    """Run pytest, its output passed on as it comes; return exit status and closing line."""
    out = sys.stderr if to_stderr else sys.stdout
    closing_line = ""
    # The tests start hundreds of interpreters; without bytecode each would compile all our code.
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
