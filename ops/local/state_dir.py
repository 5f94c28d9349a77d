"""The state directory of the local system: runner lock, pid files, published state, logs.

Not here: the content of any of these files.
"""

import fcntl
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

from ops.local import processes, secret_files

_LEFTOVER_SECONDS = 5.0  # a process that outlived its supervisor may be killed without loss
_LOCK_ATTEMPTS = 5
_LOCK_PAUSE_SECONDS = 0.02
ROOT = Path(__file__).parents[2]


def path() -> Path:
    """Return BINA_DIR, or `.bina` beside the launcher, readable by its owner only."""
    directory = Path(os.environ.get("BINA_DIR") or ROOT / ".bina").resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def log_path(process: str) -> Path:
    """Return the log of one process."""
    return path() / "logs" / f"{process}.log"


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """A process of an earlier start; its pid may belong to another process by now."""

    pid: int
    started_at: float

    def is_alive(self) -> bool:
        """Return whether this process, not another one with its pid, still runs."""
        return processes.start_time(self.pid) == self.started_at


def _run_directory() -> Path:
    directory = path() / "run"
    directory.mkdir(exist_ok=True)
    return directory


def record_process(process: str, pid: int) -> None:
    """Record a process, so that a later start can end it."""
    started_at = processes.start_time(pid)
    if started_at is not None:
        record = json.dumps({"pid": pid, "born": started_at})
        secret_files.write_private(_run_directory() / f"{process}.pid", record)


def find_live_pid(process: str) -> int | None:
    """Return the pid of a recorded process that still runs, None if there is none."""
    record = _read_record(_run_directory() / f"{process}.pid")
    return record.pid if record and record.is_alive() else None


def _read_record(path: Path) -> StartedProcess | None:
    try:
        fields = cast("dict[str, Any]", json.loads(path.read_text()))
        return StartedProcess(int(fields["pid"]), float(fields["born"]))
    except (FileNotFoundError, ValueError, KeyError):  # a full disk may leave an empty file
        return None


def end_leftovers() -> None:
    """End the processes that an earlier start left when it was killed."""
    records = sorted(_run_directory().glob("*.pid"))
    found = [_read_record(record) for record in records]
    leftovers = [leftover for leftover in found if leftover]
    alive = [leftover.pid for leftover in leftovers if leftover.is_alive()]
    processes.stop(*alive, grace=_LEFTOVER_SECONDS)
    for leftover in leftovers:
        processes.end_orphans(leftover.pid, leftover.started_at)
    for record in records:
        record.unlink()


@contextmanager
def claim_runner() -> Generator[bool]:
    """Yield True if we may run the system here, False if another process runs it.

    The claim ends with the block or with this process.
    """
    with (_run_directory() / "up.lock").open("a+") as guard:
        if not _try_lock(guard):
            yield False
            return
        guard.truncate(0)
        guard.write(str(os.getpid()))
        guard.flush()
        yield True


def _try_lock(guard: TextIO) -> bool:
    for _ in range(_LOCK_ATTEMPTS):  # runner_pid() in another process holds it for a moment
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return True
    return False


def runner_pid() -> int | None:
    """Return the pid of the process that runs the system here, None if there is none."""
    with (_run_directory() / "up.lock").open("a+") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            guard.seek(0)
            return int(guard.read() or 0) or None
        return None


def publish_state(state: dict[str, Any]) -> None:
    """Publish the state of the system for the other commands."""
    secret_files.write_private(_run_directory() / "up.json", json.dumps(state))


def server_variables() -> dict[str, str]:
    """Return the variables that name servers and ports."""
    return {name: value for name, value in os.environ.items() if _names_server(name)}


def _names_server(variable: str) -> bool:
    if variable in {"BINA_PORT", "BINA_MONGO_URL", "BINA_KAFKA"}:
        return True
    return variable.startswith("BINA_") and variable.endswith("_PORT")


def adopt_runner_variables() -> None:
    """Set the variables of the running system in this process, so that a command finds it.

    Those of a system whose supervisor was killed are set too: its ports are the true ones.
    """
    published = read_published_state()
    if "variables" not in published:
        return
    for name in (*server_variables(), "BINA_MONGO_URL_FILE"):
        os.environ.pop(name, None)
    os.environ.update(published["variables"])


def read_published_state() -> dict[str, Any]:
    """Return the state that the running system has published; {} if there is none."""
    try:
        return cast("dict[str, Any]", json.loads((_run_directory() / "up.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}
