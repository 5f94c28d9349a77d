"""Child processes that never outlive us; what does not belong here: what any of them does."""

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


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a child in a session of its own, output appended to the log; it gets SIGTERM when the calling thread ends, however that happens."""
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
            preexec_fn=_end_with_parent(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - only a prctl call runs between fork and exec
        )


def _end_with_parent(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None)  # loaded before the fork: loading is not safe after it

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the call above
            os._exit(1)

    return tie


def end(child: "subprocess.Popen[bytes]", grace: float = _GRACE_SECONDS) -> None:
    """`stop` for a child of ours, which must also be waited for."""
    stop(child.pid, grace=grace)
    child.wait()


def stop(*pids: int, grace: float = _GRACE_SECONDS) -> None:
    """End these processes and everything they started: SIGTERM to all, after `grace` seconds SIGKILL; returns when they are gone."""
    heads = [process for pid in pids for process in _process_tree(pid)[:1]]
    rest = [process for pid in pids for process in _process_tree(pid)[1:]]
    _, alive = _terminate(heads, grace)
    _, lingering = _terminate(
        [process for process in rest if process.is_running()], min(grace, 2.0)
    )
    for process in [*alive, *lingering]:
        _send_signal(process, signal.SIGKILL)
    psutil.wait_procs([*alive, *lingering], timeout=5.0)


def _terminate(
    processes: list[psutil.Process], grace: float
) -> tuple[list[psutil.Process], list[psutil.Process]]:
    for process in processes:
        _send_signal(process, signal.SIGTERM)
    return psutil.wait_procs(processes, timeout=grace)


def end_orphans(group_id: int, started_at: float) -> None:
    """Kill what a dead child of ours left behind in its process group."""
    if start_time(group_id) is not None:  # the number is in use again: the group is not ours
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
    """When the process was started (seconds since the epoch), None when there is none: with the pid it names a process for ever."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def resident_bytes(pid: int, *, with_children: bool = True) -> int:
    """Memory of a process, and of all it started unless told otherwise."""
    total = 0
    for process in _process_tree(pid)[: None if with_children else 1]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for a message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def wait_for_end(pid: int) -> None:
    """Return when the process, which need not be our child, has ended."""
    try:
        handle = os.pidfd_open(pid)
    except (ProcessLookupError, AttributeError, OSError):
        while start_time(pid) is not None:
            time.sleep(0.2)
        return
    try:
        import select

        select.select([handle], [], [])
    finally:
        os.close(handle)
