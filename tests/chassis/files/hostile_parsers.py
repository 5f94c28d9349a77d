"""What a parser of foreign files may do at its worst: the child's work in the tests of `chassis.files.sandbox`. Not here: any test."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any


def turned(text: str, data: bytes) -> list[Any]:
    """What a good parser does."""
    return [text[::-1], len(data)]


def greedy() -> int:
    """Take a GiB."""
    return len(bytearray(1024 * 1024 * 1024))


def endless() -> None:
    """Work for ever."""
    while True:
        pass


def idle() -> None:
    """Wait for ever, which costs no processor time."""
    signal.pause()


def crash() -> None:
    """Die as a parser in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def broken(said: str) -> None:
    """Raise."""
    raise ValueError(said)


def chatty(mebibytes: int) -> str:
    """Answer at length."""
    return "x" * mebibytes * 1024 * 1024


def phone() -> None:
    """Reach for the network."""
    socket.socket()


def keep(path: str) -> None:
    """Write a file."""
    Path(path).write_bytes(b"x" * 4096)


def environment() -> list[str]:
    """The names it sees in the environment."""
    return sorted(os.environ)
