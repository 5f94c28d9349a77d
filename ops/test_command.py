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


def run_tests(*, quick: bool, containers: bool, only: Sequence[str]) -> int:
    """Run the checks and the tests and tell of each; the exit status is 0 only when all went well. Ends with pytest's closing line.

    `alone` names long tests (pytest's options of tests/conftest.py) that run by themselves, without the checks.
    """
    began = time.monotonic()
    failed: list[str] = []
    if not containers and not only:
        failed = _run_checks([name for name in _CHECKS if not (quick and name == "basedpyright")])
    options = only or (
        ["--containers"] if containers else [*_worker_options(), *(["--quick"] if quick else [])]
    )
    code, closing = _run_pytest(options, to_stderr=False)
    if code:
        failed.append("pytest")
    sys.stdout.write(
        f"\n{'GAGAL: ' + ', '.join(failed) if failed else 'Semua terbukti'} dalam {time.monotonic() - began:.0f} detik.\n{closing}\n"
    )
    return 1 if failed else 0


def run_scenarios(*, as_json: bool) -> int:
    """Run the tests marked with a scenario and tell which scenarios they prove; the exit status is that of the tests."""
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place) / "scenarios.json"
        code, closing = _run_pytest(
            [*_worker_options(), "--scenarios", str(answer)], to_stderr=as_json
        )
        found: dict[str, list[str]] = (
            json.loads(answer.read_text()) if answer.exists() else {"proved": [], "missing": []}
        )
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(
            f"\nTerbukti ({len(found['proved'])}): {', '.join(found['proved'])}\nBelum ({len(found['missing'])}): {', '.join(found['missing'])}\n{closing}\n"
        )
    return code


def _run_checks(names: Sequence[str]) -> list[str]:
    """Run the named checks side by side; those that failed, after printing what they said."""
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
        said, _ = process.communicate()
        if process.returncode:
            failed.append(name)
            sys.stdout.write(said)
        sys.stdout.write(f"{name}: {'gagal' if process.returncode else 'baik'}\n")
        sys.stdout.flush()
    return failed


def _worker_options() -> list[str]:
    """How pytest shares the work out (tests/schedule.py says by what units): with one worker more than processors, for tests wait a good part of their time."""
    return [
        "-n",
        str(1 + max(2, min(os.cpu_count() or 2, 4))),
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ]


def _run_pytest(options: Sequence[str], *, to_stderr: bool) -> tuple[int, str]:
    """Run pytest, its output passed on as it comes; exit status and closing line."""
    out = sys.stderr if to_stderr else sys.stdout
    closing = ""
    env = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }  # the tests start hundreds of interpreters: each would compile all our code
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
            closing = line.strip() or closing
    return process.returncode, closing
