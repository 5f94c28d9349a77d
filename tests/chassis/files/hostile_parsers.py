"""Parsers that misbehave in the sandbox. Not here: tests."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any


def turned(text: str, data: bytes) -> list[Any]:
    """Parse as a good parser does."""
    return [text[::-1], len(data)]


def greedy() -> int:
    """Allocate a GiB."""
    return len(bytearray(1024 * 1024 * 1024))


def endless() -> None:
    """Use the CPU without end."""
    while True:
        pass


def idle() -> None:
    """Wait without end, which uses no CPU time."""
    signal.pause()


def crash() -> None:
    """End by a signal, as a crashed parser in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def broken(message: str) -> None:
    """Raise."""
    raise ValueError(message)


def chatty(mebibytes: int) -> str:
    """Return a huge answer."""
    return "x" * mebibytes * 1024 * 1024


def phone() -> None:
    """Open a socket."""
    socket.socket()


def keep(path: str) -> None:
    """Write a file."""
    Path(path).write_bytes(b"x" * 4096)


def environment() -> list[str]:
    """Return the names of the environment's variables."""
    return sorted(os.environ)
