"""The command `up`: what a person sees while the system starts and runs. Not here: how it is run."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
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


def up(*, detach: bool) -> int:
    """Start the system and stay until Ctrl-C, or until it is ready when detached; the exit status."""
    if os.environ.get("BINA_ENVIRONMENT") == "production":
        raise OperatorError(
            "`./bina up` hanya untuk pengembangan dan peragaan, BINA_ENVIRONMENT=production ditolak: untuk produksi lihat deploy/.",
            "`./bina up` is for development and demonstration, BINA_ENVIRONMENT=production is refused: for production see deploy/.",
        )
    if (state_dir.path() / secret_files.UNFINISHED_RESTORE).exists():
        raise OperatorError(
            "Pemulihan di sini terputus, datanya tidak utuh: ulangi `./bina restore` dengan --replace.",
            "A restore was interrupted here and what lies here is not whole: repeat `./bina restore` with --replace.",
        )
    return _start_detached() if detach else asyncio.run(_run(Console(stderr=True)))


async def _run(console: Console) -> int:
    """Run the system in this process until a signal comes."""
    stop = asyncio.Event()
    began = time.monotonic()
    with state_dir.claim_runner() as alone:
        if not alone:
            raise OperatorError(
                f"Bina sudah berjalan (pid {state_dir.runner_pid()}): lihat `./bina status`, hentikan dengan `./bina down`.",
                "Bina is running already: see `./bina status`, stop it with `./bina down`.",
            )
        state_dir.end_leftovers()
        with (
            Live(console=console, auto_refresh=False, transient=False)
            if console.is_terminal
            else _LineOutput(console) as shown
        ):
            told_ready = False

            def changed(seen: Sequence[SupervisedProcess]) -> None:
                nonlocal told_ready
                views = [describe_process(part) for part in seen]
                state_dir.publish_state(
                    {"pid": os.getpid(), "parts": views, "told": state_dir.server_variables()}
                )
                shown.update(render_table(views), refresh=True)
                if not told_ready and all(part.state is ProcessState.READY for part in seen):
                    told_ready = True
                    console.print(
                        f"Bina siap dalam {time.monotonic() - began:.1f} detik. Coba `./bina demo`; hentikan dengan Ctrl-C atau `./bina down`."
                    )

            supervisor = Supervisor(changed)

            def signalled() -> None:
                if stop.is_set():
                    supervisor.kill_all()
                elif console.is_terminal:
                    console.print("menghentikan semua bagian...")
                stop.set()

            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, signalled)
            try:
                await supervisor.run(stop)
            except OperatorError as trouble:
                state_dir.publish_state(
                    {"pid": os.getpid(), "trouble": [trouble.indonesian, trouble.english]}
                )
                raise
            state_dir.publish_state({})
            state_dir.end_leftovers()
    return 0


def _start_detached() -> int:
    console = Console(stderr=True)
    if (pid := state_dir.runner_pid()) is not None:
        console.print(f"Bina sudah berjalan (pid {pid}).")
        return 0
    log = state_dir.log_path("up")
    log.parent.mkdir(exist_ok=True)
    state_dir.publish_state({})
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "ops.local.up"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=state_dir.ROOT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _DETACHED_SECONDS
    with (
        Live(console=console, auto_refresh=False)
        if console.is_terminal
        else _LineOutput(console) as shown
    ):
        try:
            while child.poll() is None and time.monotonic() < deadline:
                state = state_dir.read_published_state()
                if state.get("pid") == child.pid and "parts" in state:
                    shown.update(render_table(state["parts"]), refresh=True)
                    if all(seen["state"] == ProcessState.READY for seen in state["parts"]):
                        console.print(
                            "Bina siap. Lihat `./bina status`, coba `./bina demo`, hentikan dengan `./bina down`."
                        )
                        return 0
                time.sleep(0.1)
        except KeyboardInterrupt:
            processes.end(child, grace=60.0)
            return 130
    if trouble := state_dir.read_published_state().get("trouble"):
        raise OperatorError(*trouble)
    processes.end(child, grace=60.0)
    raise OperatorError(
        f"Bina tidak menjadi siap; baca {log} dan `./bina logs`.",
        f"Bina did not become ready; read {log} and `./bina logs`.",
    )


def describe_process(supervised: SupervisedProcess) -> dict[str, Any]:
    """A part as the other commands see it."""
    return {
        "name": supervised.name,
        "state": supervised.state.value,
        "address": supervised.address,
        "advice": supervised.advice,
        "pid": supervised.process.pid if supervised.process else None,
    }


def render_table(views: Sequence[dict[str, Any]]) -> Table:
    """The parts as a person reads them."""
    shown = Table("Bagian", "Keadaan", "Alamat", "Keterangan", box=None, pad_edge=False)
    for seen in views:
        shown.add_row(
            seen["name"],
            _STATE_TITLES[ProcessState(seen["state"])],
            seen["address"],
            seen["advice"],
        )
    for group, address in topology.gateway_addresses().items():
        shown.add_row("", "", address, f"gerbang {group}")
    return shown


class _LineOutput:
    """What `Live` is for a terminal, for a file: each change of state as one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_lines: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def update(self, rows: Table, *, refresh: bool) -> None:
        """Print the rows that are new."""
        del refresh
        names, states, _, advices = (list(column.cells) for column in rows.columns)
        for name, state, advice in zip(names, states, advices, strict=True):
            if name and self._last_lines.get(str(name)) != f"{state}{advice}":
                self._last_lines[str(name)] = f"{state}{advice}"
                self._console.print(f"{name}: {state} {advice}".rstrip())


def main() -> int:
    """`python -m ops.local.up`: the process behind `up --detach`."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        return asyncio.run(_run(Console(stderr=True)))
    except OperatorError as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
