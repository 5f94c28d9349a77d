"""Where the local system keeps what it makes, and who runs it; what does not belong here: the meaning of any of it."""

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

_LEFTOVER_SECONDS = (
    5.0  # short: what outlived its supervisor may be killed at any time without loss
)
ROOT = Path(__file__).parents[2]


def path() -> Path:
    """The directory of the local system: BINA_DIR, or `.bina` beside the launcher; only its owner may look into it."""
    place = Path(os.environ.get("BINA_DIR") or ROOT / ".bina").resolve()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def log_path(process: str) -> Path:
    """The log of one part."""
    return path() / "logs" / f"{process}.log"


@dataclass(frozen=True, slots=True)
class StartedProcess:
    """A process that we once started: the pid alone may by now be somebody else's."""

    pid: int
    started_at: float

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return processes.start_time(self.pid) == self.started_at


def _run_directory() -> Path:
    place = path() / "run"
    place.mkdir(exist_ok=True)
    return place


def record_process(process: str, pid: int) -> None:
    """Note who runs the part, so that a later start can end it."""
    born = processes.start_time(pid)
    if born is not None:
        secret_files.write_private(
            _run_directory() / f"{process}.pid", json.dumps({"pid": pid, "born": born})
        )


def end_leftovers() -> None:
    """End what an earlier start left behind: it was killed, or its machine was."""
    found: list[StartedProcess] = []
    records = sorted(_run_directory().glob("*.pid"))
    for record in records:
        try:
            noted = cast("dict[str, Any]", json.loads(record.read_text()))
            found.append(StartedProcess(int(noted["pid"]), float(noted["born"])))
        except (ValueError, KeyError):  # a disk that was full or a power cut leaves a file empty
            continue
    processes.stop(*(ran.pid for ran in found if ran.is_alive()), grace=_LEFTOVER_SECONDS)
    for ran in found:
        processes.end_orphans(ran.pid, ran.started_at)
    for record in records:
        record.unlink()


@contextmanager
def claim_runner() -> Generator[bool]:
    """True when we may run the system here, False when another process does; the claim ends with the block or with this process."""
    with (_run_directory() / "up.lock").open("a+") as guard:
        if not _try_lock(guard):
            yield False
            return
        guard.truncate(0)
        guard.write(str(os.getpid()))
        guard.flush()
        yield True


def _try_lock(guard: TextIO) -> bool:
    for _ in range(5):  # `runner` holds the lock for the moment of its look
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def runner_pid() -> int | None:
    """The pid of the process that runs the system here."""
    with (_run_directory() / "up.lock").open("a+") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            guard.seek(0)
            return int(guard.read() or 0) or None
        return None


def publish_state(state: dict[str, Any]) -> None:
    """Tell the other commands how the system stands."""
    secret_files.write_private(_run_directory() / "up.json", json.dumps(state))


def server_variables() -> dict[str, str]:
    """The variables that say where this system's servers and ports are."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in {"BINA_PORT", "BINA_MONGO_URL", "BINA_KAFKA"}
        or (name.startswith("BINA_") and name.endswith("_PORT"))
    }


def adopt_runner_variables() -> None:
    """Take over what the running system was told, so that the other commands find it without being told again."""
    if runner_pid() is not None:
        for name in (*server_variables(), "BINA_MONGO_URL_FILE"):
            os.environ.pop(name, None)
        os.environ.update(read_published_state().get("told", {}))


def read_published_state() -> dict[str, Any]:
    """What the running system last told; empty when it told nothing."""
    try:
        return cast("dict[str, Any]", json.loads((_run_directory() / "up.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}
