"""Parsers that misbehave in the sandbox. Not here: tests."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chassis.files.sandbox_child import LimitExceeded


def turned(data: bytes, text: str) -> Iterator[Any]:
    """Parse as a good parser does."""
    yield text[::-1]
    yield len(data)


def greedy(data: bytes) -> Iterator[int]:
    """Allocate a GiB."""
    yield len(bytearray(1024 * 1024 * 1024)) + len(data)


def aborting(_: bytes) -> Iterator[int]:
    """End as Rust does when it gets no memory."""
    os.abort()
    yield 0


def endless(_: bytes) -> Iterator[int]:
    """Use the CPU without end."""
    while True:
        pass
    yield 0


def idle(_: bytes) -> Iterator[int]:
    """Wait without end, which uses no CPU time."""
    signal.pause()
    yield 0


def killed(_: bytes) -> Iterator[int]:
    """End as by the kernel when the container has no memory left."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield 0


def crash(_: bytes) -> Iterator[int]:
    """End by a signal, as a crashed parser in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)
    yield 0


def broken(_: bytes, message: str) -> Iterator[int]:
    """Raise."""
    raise ValueError(message)
    yield 0


def limited(_: bytes) -> Iterator[int]:
    """Find more than it reads, after a first value."""
    yield 1
    raise LimitExceeded


def chatty(_: bytes, mebibytes: int) -> Iterator[str]:
    """Yield a huge answer in small lines."""
    for _number in range(mebibytes * 1024):
        yield "x" * 1024


def wordy(_: bytes, mebibytes: int) -> Iterator[str]:
    """Yield a huge answer in one line."""
    yield "x" * mebibytes * 1024 * 1024


def phone(_: bytes) -> Iterator[int]:
    """Open a socket."""
    socket.socket()
    yield 0


def keep(_: bytes, path: str) -> Iterator[int]:
    """Write a file."""
    yield Path(path).write_bytes(b"x" * 4096)


def environment(_: bytes) -> Iterator[list[str]]:
    """Yield the names of the environment's variables."""
    yield sorted(os.environ)


def process_id(_: bytes) -> Iterator[int]:
    """Yield the id of the process."""
    yield os.getpid()
