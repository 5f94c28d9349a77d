"""The child process of the sandbox: sets its limits, then parses one file.

Not here: any parser, and the parent (sandbox).
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

LIMIT_EXIT_CODE = 75
# what the child answers to its task: from here on its end says something about the file
ACCEPTANCE = b"accepted\n"


class LimitExceeded(Exception):
    """A parser found more rows, columns or sheets than it reads."""


def run_child(arguments: Sequence[str]) -> None:
    """Answer with what the function yields for the one file on standard input.

    Arguments are the bytes of memory, the seconds of processor time, and modules to import ahead.
    """
    memory, seconds, *modules = arguments
    try:
        _set_limits(int(memory))
        for module in modules:
            importlib.import_module(module)
        task = json.loads(sys.stdin.buffer.readline())
        sys.stdout.buffer.write(ACCEPTANCE)
        sys.stdout.buffer.flush()
        _limit_time(int(seconds))
        _parse(task, sys.stdin.buffer.read())
    except (LimitExceeded, MemoryError):
        os._exit(LIMIT_EXIT_CODE)


def _parse(task: dict[str, Any], data: bytes) -> None:
    function = getattr(importlib.import_module(task["module"]), task["function"])
    for value in function(data, *task["arguments"]):
        sys.stdout.write(json.dumps(value, ensure_ascii=False))
        sys.stdout.write("\n")
    sys.stdout.flush()


def _set_limits(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket = _refuse_network  # pyright: ignore[reportAttributeAccessIssue]


def _limit_time(seconds: int) -> None:
    """Limit the processor time from now on; that of starting does not count."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = round(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))


def _refuse_network(*_: object, **__: object) -> NoReturn:
    raise OSError("no network here")
