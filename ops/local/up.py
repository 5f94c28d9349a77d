"""The command `up`: what a person sees while the system starts and runs.

Not here: how the system is run (`supervisor`).
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ops.errors import OperatorError
from ops.local import processes, secret_files, state_dir, topology
from ops.local.supervisor import ProcessState, SupervisedProcess, Supervisor

_STATE_TITLES = {
    ProcessState.WAITING: "[dim]menunggu[/]",
    ProcessState.STARTING: "[yellow]memulai[/]",
    ProcessState.READY: "[green]siap[/]",
    ProcessState.NOT_READY: "[red]belum siap[/]",
    ProcessState.FAILED: "[red]gagal[/]",
    ProcessState.STOPPED: "[dim]berhenti[/]",
}
_DETACHED_SECONDS = 300.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.1
_INTERRUPTED = 130  # the exit status after Ctrl-C


def up(*, detach: bool) -> int:
    """Start the system; return at its end, or when it is ready if detached.

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
                "Bina is running already: see `./bina status`, stop it with `./bina down`.",
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
        """End in order; the second signal kills everything."""
        if self._stop.is_set():
            self._supervisor.kill_all()
        elif self._console.is_terminal:
            self._console.print("menghentikan semua bagian...")
        self._stop.set()

    def _show(self, supervised: Sequence[SupervisedProcess]) -> None:
        views = [describe_process(process) for process in supervised]
        variables = state_dir.server_variables()
        state_dir.publish_state({"pid": os.getpid(), "parts": views, "variables": variables})
        self._display.update(render_table(views), refresh=True)
        if not self._has_announced and _are_ready(views):
            self._has_announced = True
            seconds = time.monotonic() - self._started_at
            self._console.print(
                f"Bina siap dalam {seconds:.1f} detik. Coba `./bina demo`; hentikan dengan Ctrl-C"
                " atau `./bina down`."
            )


def _start_detached() -> int:
    console = Console(stderr=True)
    if (pid := state_dir.runner_pid()) is not None:
        console.print(f"Bina sudah berjalan (pid {pid}).")
        return 0
    log = state_dir.log_path("up")
    child = _spawn_runner(log)
    with _open_display(console) as display:
        try:
            if _wait_until_ready(child, display):
                console.print(
                    "Bina siap. Lihat `./bina status`, coba `./bina demo`, hentikan dengan"
                    " `./bina down`."
                )
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
    """Show the states that the child publishes; return False when it ends or time is up."""
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
    """Return a process as the other commands see it."""
    return {
        "name": supervised.name,
        "state": supervised.state.value,
        "address": supervised.address,
        "advice": supervised.advice,
        "pid": supervised.process.pid if supervised.process else None,
    }


def render_table(views: Sequence[dict[str, Any]]) -> Table:
    """Return the processes as a table for people."""
    table = Table("Bagian", "Keadaan", "Alamat", "Keterangan", box=None, pad_edge=False)
    for view in views:
        title = _STATE_TITLES[ProcessState(view["state"])]
        table.add_row(view["name"], title, view["address"], view["advice"])
    for group, address in topology.gateway_addresses().items():
        table.add_row("", "", address, f"gerbang {group}")
    return table


def _open_display(console: Console) -> "Live | _LineOutput":
    if console.is_terminal:
        return Live(console=console, auto_refresh=False, transient=False)
    return _LineOutput(console)


class _LineOutput:
    """The counterpart of `Live` for a file: each change of state is one line."""

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
                self._console.print(f"{name}: {state} {advice}".rstrip())


def main() -> int:
    """Run `python -m ops.local.up`, the process behind `up --detach`."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        return asyncio.run(_run(Console(stderr=True)))
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
