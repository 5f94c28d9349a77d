"""The command `up`: what a person sees while the system starts and runs.

Not here: how processes are started and restarted (`supervisor`).
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ops.errors import OperatorError
from ops.language import Bilingual, choose
from ops.local import processes, secret_files, state_dir, topology
from ops.local.supervisor import ProcessState, SupervisedProcess, Supervisor
from ops.text_output import fit, print_error

_STATE_TITLES = {
    ProcessState.WAITING: Bilingual("menunggu", "waiting"),
    ProcessState.STARTING: Bilingual("memulai", "starting"),
    ProcessState.READY: Bilingual("siap", "ready"),
    ProcessState.NOT_READY: Bilingual("belum siap", "not ready"),
    ProcessState.FAILED: Bilingual("gagal", "failed"),
    ProcessState.STOPPED: Bilingual("berhenti", "stopped"),
}
_STATE_STYLES = {
    ProcessState.WAITING: "dim",
    ProcessState.STARTING: "yellow",
    ProcessState.READY: "green",
    ProcessState.NOT_READY: "red",
    ProcessState.FAILED: "red",
    ProcessState.STOPPED: "dim",
}
_DETACHED_SECONDS = 300.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1
_INTERRUPTED = 130  # the exit status after Ctrl-C


def up(*, detach: bool) -> int:
    """Start the system; return when it has ended or, if detached, when it is ready.

    Raises OperatorError in production and after a restore that did not finish.
    """
    if os.environ.get("BINA_ENVIRONMENT") == "production":
        raise OperatorError(
            "`./bina up` hanya untuk pengembangan dan peragaan, BINA_ENVIRONMENT=production"
            " ditolak: untuk produksi lihat deploy/.",
            "`./bina up` is for development and demonstration, BINA_ENVIRONMENT=production is"
            " refused: for production see deploy/.",
        )
    if (state_dir.path() / secret_files.UNFINISHED_RESTORE).exists():
        raise OperatorError(
            "Pemulihan di sini terputus, datanya tidak utuh: ulangi `./bina restore` dengan"
            " --replace.",
            "A restore was interrupted here and the data are incomplete: repeat `./bina restore`"
            " with --replace.",
        )
    return _start_detached() if detach else asyncio.run(_run(Console(stderr=True)))


async def _run(console: Console) -> int:
    """Run the system in this process until a signal."""
    with state_dir.claim_runner() as is_alone:
        if not is_alone:
            raise OperatorError(
                f"Bina sudah berjalan (pid {state_dir.runner_pid()}): lihat `./bina status`,"
                " hentikan dengan `./bina down`.",
                f"Bina is running already (pid {state_dir.runner_pid()}): see `./bina status`, stop"
                " it with `./bina down`.",
            )
        state_dir.end_leftovers()
        with _open_display(console) as display:
            try:
                await _Run(console, display).until_signal()
            except OperatorError as error:
                failure = [error.indonesian, error.english]
                state_dir.publish_state({"pid": os.getpid(), "failure": failure})
                raise
            state_dir.publish_state({})
            state_dir.end_leftovers()
    return 0


class _Run:
    """One run of the system: shows and publishes each change, and ends on a signal."""

    def __init__(self, console: Console, display: "Live | _LineOutput") -> None:
        self._console = console
        self._display = display
        self._stop = asyncio.Event()
        self._started_at = time.monotonic()
        self._has_announced = False
        self._supervisor = Supervisor(self._show)

    async def until_signal(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end)
        await self._supervisor.run(self._stop)

    def _end(self) -> None:
        """Stop in order; the second signal kills everything."""
        if self._stop.is_set():
            self._supervisor.kill_all()
        elif self._console.is_terminal:
            self._console.print(choose("menghentikan semua bagian...", "stopping everything..."))
        self._stop.set()

    def _show(self, supervised: Sequence[SupervisedProcess]) -> None:
        views = [describe_process(process) for process in supervised]
        variables = state_dir.server_variables()
        state_dir.publish_state({"pid": os.getpid(), "parts": views, "variables": variables})
        self._display.update(render_table(views), refresh=True)
        if not self._has_announced and _are_ready(views):
            self._has_announced = True
            seconds = time.monotonic() - self._started_at
            _announce(
                self._console,
                seconds,
                choose("Ctrl-C atau `./bina down`", "Ctrl-C or `./bina down`"),
            )


def _announce(console: Console, seconds: float, stop: str) -> None:
    """Print that everything is ready, and what to do next; `stop` says how to stop it."""
    sentence = choose(
        f"Bina siap dalam {seconds:.1f} detik. Lihat `./bina status`, coba `./bina demo`;"
        f" hentikan dengan {stop}.",
        f"Bina is ready after {seconds:.1f} seconds. See `./bina status`, try `./bina demo`;"
        f" stop with {stop}.",
    )
    console.print(fit(sentence, sys.stderr), highlight=False, soft_wrap=True)


def _start_detached() -> int:
    console = Console(stderr=True)
    if (pid := state_dir.runner_pid()) is not None:
        running = choose("Bina sudah berjalan", "Bina is running already")
        print_error(f"{running} (pid {pid}).")
        return 0
    log = state_dir.log_path("up")
    started_at = time.monotonic()
    child = _spawn_runner(log)
    with _open_display(console) as display:
        try:
            if _wait_until_ready(child, display):
                _announce(console, time.monotonic() - started_at, "`./bina down`")
                return 0
        except KeyboardInterrupt:
            processes.end(child, grace=_STOP_SECONDS)
            return _INTERRUPTED
    if failure := state_dir.read_published_state().get("failure"):
        raise OperatorError(*failure)
    processes.end(child, grace=_STOP_SECONDS)
    raise OperatorError(
        f"Bina tidak menjadi siap; baca {log} dan `./bina logs`.",
        f"Bina did not become ready; read {log} and `./bina logs`.",
    )


def _spawn_runner(log: Path) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(exist_ok=True)
    state_dir.publish_state({})
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "ops.local.up"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=state_dir.ROOT,
            start_new_session=True,
        )


def _wait_until_ready(child: "subprocess.Popen[bytes]", display: "Live | _LineOutput") -> bool:
    """Show the states that the child publishes, until all processes are ready.

    Returns False when the child ends, or after _DETACHED_SECONDS.
    """
    deadline = time.monotonic() + _DETACHED_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        state = state_dir.read_published_state()
        if state.get("pid") == child.pid and "parts" in state:
            display.update(render_table(state["parts"]), refresh=True)
            if _are_ready(state["parts"]):
                return True
        time.sleep(_POLL_SECONDS)
    return False


def _are_ready(views: Sequence[dict[str, Any]]) -> bool:
    return all(view["state"] == ProcessState.READY for view in views)


def describe_process(supervised: SupervisedProcess) -> dict[str, Any]:
    """Return a process as it is published for the other commands."""
    return {
        "name": supervised.name,
        "state": supervised.state.value,
        "address": supervised.address,
        "advice": supervised.advice.indonesian,
        "advice_in_english": supervised.advice.english,
        "pid": supervised.process.pid if supervised.process else None,
        "since": supervised.since.isoformat(),
        "restarts": supervised.restarts,
        "ended_at": supervised.ended_at.isoformat() if supervised.ended_at else None,
    }


def render_table(views: Sequence[dict[str, Any]]) -> Table:
    """Return the processes and the gateway's addresses as a table for people."""
    table = Table(box=None, pad_edge=False)
    for title in (
        choose("Bagian", "Process"),
        choose("Keadaan", "State"),
        choose("Alamat", "Address"),
    ):
        table.add_column(title, no_wrap=True)
    table.add_column(choose("Keterangan", "Advice"))
    for view in views:
        advice = choose(view["advice"], view["advice_in_english"])
        table.add_row(
            view["name"],
            render_state(view["state"]),
            view["address"].replace(",", ",\n"),
            advice or describe_restarts(view),
        )
    gateway = choose("gerbang", "gateway")
    for group, address in topology.gateway_addresses().items():
        table.add_row("", "", address, f"{gateway} {group}")
    return table


def describe_restarts(view: dict[str, Any]) -> str:
    """Return how often a published process ended by itself, and when last; empty if never."""
    times = view["restarts"]
    if not times:
        return ""
    last = format_time(view["ended_at"])
    return choose(
        f"{times} kali berhenti sendiri, terakhir {last}",
        f"ended by itself {times} times, last at {last}",
    )


def format_time(text: str) -> str:
    """Return an ISO 8601 time as the terminal shows it: local, with the day if not today."""
    time_there = datetime.fromisoformat(text).astimezone()
    is_today = time_there.date() == datetime.now().astimezone().date()
    return f"{time_there:%H:%M:%S}" if is_today else f"{time_there:%d-%m %H:%M}"


def render_state(value: str) -> str:
    """Return a state for people, with rich markup for its colour."""
    state = ProcessState(value)
    return f"[{_STATE_STYLES[state]}]{_STATE_TITLES[state]}[/]"


def _open_display(console: Console) -> "Live | _LineOutput":
    if console.is_terminal:
        return Live(console=console, auto_refresh=False, transient=False)
    return _LineOutput(console)


class _LineOutput:
    """Replaces `Live` when the output is no terminal: one line for each change of state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_lines: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def update(self, rows: Table, *, refresh: bool) -> None:
        """Print the rows that have changed."""
        del refresh
        names, states, _, advices = (list(column.cells) for column in rows.columns)
        for name, state, advice in zip(names, states, advices, strict=True):
            line = f"{state}{advice}"
            if name and self._last_lines.get(str(name)) != line:
                self._last_lines[str(name)] = line
                self._console.print(f"{name}: {state} {advice}".rstrip(), soft_wrap=True)


def main() -> int:
    """Run `python -m ops.local.up`, the process behind `up --detach`."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        return asyncio.run(_run(Console(stderr=True)))
    except OperatorError as error:
        print_error(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
