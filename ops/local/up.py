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

from ops.errors import Trouble
from ops.local import processes, secret_files, state_dir, topology
from ops.local.supervisor import Part, State, Supervisor

_WORDS = {
    State.WAITING: "[dim]menunggu[/]",
    State.STARTING: "[yellow]memulai[/]",
    State.READY: "[green]siap[/]",
    State.NOT_READY: "[red]belum siap[/]",
    State.FAILED: "[red]gagal[/]",
    State.STOPPED: "[dim]berhenti[/]",
}
_DETACHED_SECONDS = 300.0


def up(*, detach: bool) -> int:
    """Start the system and stay until Ctrl-C, or until it is ready when detached; the exit status."""
    if os.environ.get("BINA_ENVIRONMENT") == "production":
        raise Trouble(
            "`./bina up` hanya untuk pengembangan dan peragaan, BINA_ENVIRONMENT=production ditolak: untuk produksi lihat deploy/.",
            "`./bina up` is for development and demonstration, BINA_ENVIRONMENT=production is refused: for production see deploy/.",
        )
    if (state_dir.home() / secret_files.UNFINISHED).exists():
        raise Trouble(
            "Pemulihan di sini terputus, datanya tidak utuh: ulangi `./bina restore` dengan --replace.",
            "A restore was interrupted here and what lies here is not whole: repeat `./bina restore` with --replace.",
        )
    return _start_detached() if detach else asyncio.run(_run(Console(stderr=True)))


async def _run(console: Console) -> int:
    """Run the system in this process until a signal comes."""
    stop = asyncio.Event()
    began = time.monotonic()
    with state_dir.sole_runner() as alone:
        if not alone:
            raise Trouble(
                f"Bina sudah berjalan (pid {state_dir.runner()}): lihat `./bina status`, hentikan dengan `./bina down`.",
                "Bina is running already: see `./bina status`, stop it with `./bina down`.",
            )
        state_dir.end_leftovers()
        with (
            Live(console=console, auto_refresh=False, transient=False)
            if console.is_terminal
            else _Lines(console) as shown
        ):
            told_ready = False

            def changed(seen: Sequence[Part]) -> None:
                nonlocal told_ready
                views = [view(part) for part in seen]
                state_dir.publish(
                    {"pid": os.getpid(), "parts": views, "told": state_dir.told_to_run()}
                )
                shown.update(table(views), refresh=True)
                if not told_ready and all(part.state is State.READY for part in seen):
                    told_ready = True
                    console.print(
                        f"Bina siap dalam {time.monotonic() - began:.1f} detik. Coba `./bina demo`; hentikan dengan Ctrl-C atau `./bina down`."
                    )

            supervisor = Supervisor(changed)

            def signalled() -> None:
                if stop.is_set():
                    supervisor.kill()
                elif console.is_terminal:
                    console.print("menghentikan semua bagian...")
                stop.set()

            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, signalled)
            try:
                await supervisor.run(stop)
            except Trouble as trouble:
                state_dir.publish(
                    {"pid": os.getpid(), "trouble": [trouble.indonesian, trouble.english]}
                )
                raise
            state_dir.publish({})
            state_dir.end_leftovers()
    return 0


def _start_detached() -> int:
    console = Console(stderr=True)
    if (pid := state_dir.runner()) is not None:
        console.print(f"Bina sudah berjalan (pid {pid}).")
        return 0
    log = state_dir.log_of("up")
    log.parent.mkdir(exist_ok=True)
    state_dir.publish({})
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
        else _Lines(console) as shown
    ):
        try:
            while child.poll() is None and time.monotonic() < deadline:
                state = state_dir.published()
                if state.get("pid") == child.pid and "parts" in state:
                    shown.update(table(state["parts"]), refresh=True)
                    if all(seen["state"] == State.READY for seen in state["parts"]):
                        console.print(
                            "Bina siap. Lihat `./bina status`, coba `./bina demo`, hentikan dengan `./bina down`."
                        )
                        return 0
                time.sleep(0.1)
        except KeyboardInterrupt:
            processes.end(child, grace=60.0)
            return 130
    if trouble := state_dir.published().get("trouble"):
        raise Trouble(*trouble)
    processes.end(child, grace=60.0)
    raise Trouble(
        f"Bina tidak menjadi siap; baca {log} dan `./bina logs`.",
        f"Bina did not become ready; read {log} and `./bina logs`.",
    )


def view(part: Part) -> dict[str, Any]:
    """A part as the other commands see it."""
    return {
        "name": part.name,
        "state": part.state.value,
        "address": part.address,
        "advice": part.advice,
        "pid": part.process.pid if part.process else None,
    }


def table(views: Sequence[dict[str, Any]]) -> Table:
    """The parts as a person reads them."""
    shown = Table("Bagian", "Keadaan", "Alamat", "Keterangan", box=None, pad_edge=False)
    for seen in views:
        shown.add_row(seen["name"], _WORDS[State(seen["state"])], seen["address"], seen["advice"])
    for group, address in topology.addresses().items():
        shown.add_row("", "", address, f"gerbang {group}")
    return shown


class _Lines:
    """What `Live` is for a terminal, for a file: each change of state as one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def update(self, shown: Table, *, refresh: bool) -> None:
        """Print the rows that are new."""
        del refresh
        names, states, _, advices = (list(column.cells) for column in shown.columns)
        for name, state, advice in zip(names, states, advices, strict=True):
            if name and self._told.get(str(name)) != f"{state}{advice}":
                self._told[str(name)] = f"{state}{advice}"
                self._console.print(f"{name}: {state} {advice}".rstrip())


def main() -> int:
    """`python -m ops.local.up`: the process behind `up --detach`."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        return asyncio.run(_run(Console(stderr=True)))
    except Trouble as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
