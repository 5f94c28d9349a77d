"""Child processes that end with this process. Not here: what they do."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 15.0
_DESCENDANT_GRACE_SECONDS = 2.0
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.2


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own, its output appended to the log.

    The kernel sends it SIGTERM when the calling thread ends for any reason.
    """
    # Only a prctl call runs between fork and exec.
    preexec = _end_with_parent(os.getpid()) if sys.platform == "linux" else None
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=preexec,  # noqa: PLW1509 - see above
        )


def _end_with_parent(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None)  # loading it between fork and exec is not safe

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call above
            os._exit(1)

    return tie


def end(child: "subprocess.Popen[bytes]", grace: float = _GRACE_SECONDS) -> None:
    """Stop a child of ours, and reap it."""
    stop(child.pid, grace=grace)
    child.wait()


def stop(*pids: int, grace: float = _GRACE_SECONDS) -> None:
    """End these processes and their descendants; return when they are gone.

    SIGTERM first, SIGKILL after `grace` seconds.
    """
    heads: list[psutil.Process] = []
    descendants: list[psutil.Process] = []
    for pid in pids:
        tree = _process_tree(pid)
        heads += tree[:1]
        descendants += tree[1:]
    _, alive = _terminate(heads, grace)
    lingering = [process for process in descendants if process.is_running()]
    _, lingering = _terminate(lingering, min(grace, _DESCENDANT_GRACE_SECONDS))
    for process in [*alive, *lingering]:
        _send_signal(process, signal.SIGKILL)
    psutil.wait_procs([*alive, *lingering], timeout=_KILL_SECONDS)


def _terminate(
    processes: list[psutil.Process], grace: float
) -> tuple[list[psutil.Process], list[psutil.Process]]:
    for process in processes:
        _send_signal(process, signal.SIGTERM)
    return psutil.wait_procs(processes, timeout=grace)


def end_orphans(group_id: int, started_at: float) -> None:
    """Kill processes that an ended child of ours left in its process group."""
    if start_time(group_id) is not None:  # the id is in use again, so the group is not ours
        return
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group_id and process.create_time() >= started_at:
                process.kill()
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue


def _process_tree(pid: int) -> list[psutil.Process]:
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send_signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def start_time(pid: int) -> float | None:
    """Return when a process was started, in seconds since the epoch; None if there is none.

    The pid and this time together identify a process; a pid alone may be used again.
    """
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def resident_bytes(pid: int, *, with_children: bool = True) -> int:
    """Return the resident memory of a process, by default with its descendants."""
    total = 0
    tree = _process_tree(pid)
    for process in tree if with_children else tree[:1]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def tail(log: Path, lines: int = 5) -> str:
    """Return the last lines of a log, for a message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def wait_for_end(pid: int) -> None:
    """Wait until a process, which need not be our child, has ended."""
    try:
        handle = os.pidfd_open(pid)
    except (ProcessLookupError, AttributeError, OSError):
        while start_time(pid) is not None:
            time.sleep(_POLL_SECONDS)
        return
    try:
        import select

        select.select([handle], [], [])
    finally:
        os.close(handle)
