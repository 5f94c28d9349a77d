"""Parses a foreign file in a child process without keys, network or database, within limits.

The child is a new interpreter. It gets module, function and arguments as JSON on standard input
and answers on standard output. Not here: any parser.
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

START_SECONDS = 5
_ROOT = Path(__file__).resolve().parents[2]
_CHILD_CODE = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from chassis.files.sandbox import run_child; run_child()"
)


class FileUnreadable(Refused):
    """The file is damaged, not of the stated kind, or larger than our limits."""

    code = "unreadable"
    title = "Berkas tidak dapat dibaca"


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Limits of a child: seconds of processor and wall time, MiB of memory and of the answer."""

    seconds: int = 20
    memory_mib: int = 512
    result_mib: int = 64


async def call(
    module: str, function: str, *arguments: Any, limits: SandboxLimits | None = None
) -> Any:
    """Return what `module.function(*arguments)` gives in a child process.

    Arguments are JSON values or bytes, the result is a JSON value. Raises FileUnreadable when the
    child fails or exceeds a limit.
    """
    limits = limits or SandboxLimits()
    task = json.dumps(
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
        _CHILD_CODE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
    )
    try:
        async with asyncio.timeout(limits.seconds + START_SECONDS):
            answer, _ = await child.communicate(task.encode())
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
    """Run the function in the child, after setting its limits and disabling Python's sockets."""
    task = json.load(sys.stdin)
    memory = task["memory_mib"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    socket.socket = _refuse_network  # pyright: ignore[reportAttributeAccessIssue]
    function = getattr(importlib.import_module(task["module"]), task["function"])
    arguments = [_decode_argument(argument) for argument in task["arguments"]]
    json.dump(function(*arguments), sys.stdout, ensure_ascii=False)


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
