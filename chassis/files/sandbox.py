"""Parses foreign files in child processes without keys, network or database, within limits.

A child is a new interpreter for one file. It is started ahead, and waits for a line of JSON, which
it accepts, and then the bytes of the file on standard input; it answers with lines of JSON. A child
that ends before it accepts says nothing about the file. Not here: any parser.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chassis import telemetry
from chassis.errors import Busy, Refused
from chassis.files.sandbox_child import ACCEPTANCE, LIMIT_EXIT_CODE
from chassis.texts import TEXTS

log = telemetry.log(__name__)

RETRY_AFTER_SECONDS = 10
WAIT_SECONDS = 20
_MIB = 1024 * 1024
T = TypeVar("T")
_PIECE_BYTES = 64 * 1024
_ROOT = Path(__file__).resolve().parents[2]
_CHILD_CODE = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from chassis.files.sandbox_child import run_child; run_child(sys.argv[1:])"
)
# without memory a child in C or Rust aborts; the kernel kills beyond the container's memory
_LIMIT_EXIT_CODES = frozenset({LIMIT_EXIT_CODE, -signal.SIGABRT, -signal.SIGKILL, -signal.SIGXCPU})


class FileUnreadable(Refused):
    """The file is damaged, or not of the stated kind."""

    code = "unreadable"
    title = TEXTS["errors.unreadable"]


class FileTooLarge(FileUnreadable):
    """Reading the file takes more memory, time or rows than the limits allow."""

    code = "file_too_large"
    title = TEXTS["errors.file_too_large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """The children at once, and what each may use.

    `files` are taken at once: one for each child, the others wait. Each has at most `memory_mib`
    of address space, `seconds` of processor time, and `result_mib` of answer. A child that has not
    ended after `wall_seconds` says nothing about its file: the machine is busy.
    """

    children: int = 1
    files: int = 4
    seconds: int = 20
    wall_seconds: int = 50
    memory_mib: int = 192
    result_mib: int = 64


class Sandbox:
    """The children of one process. `modules` are imported before a file comes."""

    def __init__(self, limits: SandboxLimits, modules: Sequence[str] = ()) -> None:
        self.limits = limits
        self._modules = modules
        self._turns = asyncio.Semaphore(limits.children)
        self._files = 0
        self._parsing = 0
        self._ready: list[asyncio.Task[Process]] = []
        self._is_closed = False

    @contextmanager
    def file(self) -> Generator[None]:
        """Count one file from before its bytes are read. Raises Busy when there are too many."""
        if self._files >= self.limits.files:
            raise Busy(retry_after=RETRY_AFTER_SECONDS)
        self._files += 1
        try:
            self._start_ahead()
            yield
        finally:
            self._files -= 1

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until fewer than `children` files are being worked on. Raises Busy."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy(retry_after=RETRY_AFTER_SECONDS) from None
        try:
            yield
        finally:
            self._turns.release()

    async def parse(self, module: str, function: str, data: bytes, *arguments: Any) -> list[Any]:
        """Return the JSON values that `module.function(data, *arguments)` yields in a child.

        Call it within `turn`. Raises FileUnreadable, FileTooLarge beyond a limit, and Busy.
        """
        task = {"module": module, "function": function, "arguments": arguments}
        child: Process | None = None
        self._parsing += 1
        try:
            async with asyncio.timeout(self.limits.wall_seconds):
                child = await self._take_child(json.dumps(task).encode() + b"\n")
                values = await self._exchange(child, data)
                code = await child.wait()
        except TimeoutError:
            raise Busy(retry_after=RETRY_AFTER_SECONDS) from None
        finally:
            if child is not None:
                await _end(child)
            self._parsing -= 1
            self._start_ahead()
        if code in _LIMIT_EXIT_CODES:
            raise FileTooLarge
        if code != 0:
            raise FileUnreadable
        return values

    async def close(self) -> None:
        """End the children that wait, and start no more ahead."""
        self._is_closed = True
        waiting = self._ready
        self._ready = []
        for starting in waiting:
            await _end(await starting)

    def _start_ahead(self) -> None:
        if self._is_closed:
            return
        if len(self._ready) + self._parsing < self.limits.children:
            self._ready.append(asyncio.create_task(self._start()))

    async def _take_child(self, task: bytes) -> Process:
        """Return a child that has accepted the task; those that died while waiting are replaced.

        Raises Busy when a new child does not accept it either.
        """
        while self._ready:
            child = await self._ready.pop()
            if await _accepts(child, task):
                return child
        child = await self._start()
        if await _accepts(child, task):
            return child
        log.error("sandbox_child_failed", exit_code=child.returncode)
        raise Busy(retry_after=RETRY_AFTER_SECONDS)

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CHILD_CODE,
            str(self.limits.memory_mib * _MIB),
            str(self.limits.seconds),
            *self._modules,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=self.limits.result_mib * _MIB,
            env={"PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
        )

    async def _exchange(self, child: Process, data: bytes) -> list[Any]:
        """Send the file, and return the values that the child answers."""
        feeding = asyncio.create_task(_feed(child, data))
        try:
            return await self._read_values(child)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _read_values(self, child: Process) -> list[Any]:
        values: list[Any] = []
        size = 0
        try:
            async for line in _stream(child.stdout):
                size += len(line)
                if size > self.limits.result_mib * _MIB:
                    raise FileTooLarge
                values.append(json.loads(line))
        except json.JSONDecodeError:
            raise FileUnreadable from None
        except ValueError:  # a line beyond the limit of the stream
            raise FileTooLarge from None
        return values


async def _accepts(child: Process, task: bytes) -> bool:
    """Return whether the child accepts the task; end one that does not.

    Its exit status is no measure: a child that has just died is not reaped yet.
    """
    is_accepted = False
    stdin = _stream(child.stdin)
    try:
        stdin.write(task)
        await stdin.drain()
        is_accepted = await _stream(child.stdout).readline() == ACCEPTANCE
    except (BrokenPipeError, ConnectionResetError):
        return False
    finally:
        if not is_accepted:
            await _end(child)
    return is_accepted


async def _feed(child: Process, data: bytes) -> None:
    """Write the file; a child that has ended reads no more."""
    view = memoryview(data)
    stdin = _stream(child.stdin)
    try:
        for start in range(0, len(data), _PIECE_BYTES):
            stdin.write(view[start : start + _PIECE_BYTES])
            await stdin.drain()
        stdin.close()
        await stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return


def _stream(stream: T | None) -> T:
    """Return a stream of a child that was started with pipes."""
    if stream is None:
        message = "the child was started without this pipe"
        raise ValueError(message)
    return stream


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()
