"""Parsing what comes from outside in a child process without environment, keys, network or database, within limits. Not here: any parser.

The child is a fresh interpreter (`python -I -m chassis.files.sandbox`): it gets the module, the function and its arguments on standard input and answers on standard output.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import resource
import socket
import sys
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from chassis.errors import Refused

_ROOT = Path(__file__).resolve().parents[2]


class FileUnreadable(Refused):
    """The file cannot be read: it is damaged, not of the stated kind, or larger than our limits."""

    code = "unreadable"
    title = "Berkas tidak dapat dibaca"


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What a child may use: seconds of processor and wall time, MiB of memory, MiB of answer."""

    seconds: int = 20
    memory_mib: int = 512
    result_mib: int = 64


async def call(
    module: str, function: str, *arguments: Any, limits: SandboxLimits | None = None
) -> Any:
    """What `module.function(*arguments)` gives in a child: JSON values in and out, bytes allowed as arguments. FileUnreadable when it fails or exceeds a limit."""
    limits = limits or SandboxLimits()
    question = json.dumps(
        {
            "module": module,
            "function": function,
            "arguments": [_encode_argument(argument) for argument in arguments],
            "seconds": limits.seconds,
            "memory_mib": limits.memory_mib,
        }
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from chassis.files.sandbox import run_child; run_child()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
    )
    try:
        async with asyncio.timeout(limits.seconds + 5):
            answer, _ = await child.communicate(question.encode())
    except TimeoutError:
        raise FileUnreadable from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0 or len(answer) > limits.result_mib * 1024 * 1024:
        raise FileUnreadable
    try:
        return json.loads(answer)
    except ValueError:
        raise FileUnreadable from None


def run_child() -> None:
    """The child's whole life: limits first, then the network is taken away, then the work."""
    question = json.load(sys.stdin)
    memory = question["memory_mib"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (question["seconds"], question["seconds"]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket = _refuse_network  # pyright: ignore[reportAttributeAccessIssue]
    work = getattr(importlib.import_module(question["module"]), question["function"])
    json.dump(
        work(*[_decode_argument(argument) for argument in question["arguments"]]),
        sys.stdout,
        ensure_ascii=False,
    )


def _refuse_network(*_: object, **__: object) -> NoReturn:
    raise OSError("no network here")


def _encode_argument(argument: Any) -> Any:
    return (
        {"bytes": b64encode(argument).decode()}
        if isinstance(argument, bytes)
        else {"json": argument}
    )


def _decode_argument(argument: dict[str, Any]) -> Any:
    return b64decode(argument["bytes"]) if "bytes" in argument else argument["json"]
