"""The sandbox parses foreign files within limits; any misbehaviour is answered with 422."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from chassis.errors import Busy
from chassis.files import sandbox as sandbox_module
from chassis.files.sandbox import FileTooLarge, FileUnreadable, Sandbox, SandboxLimits
from tests.fakes import eventually

HOSTILE = "tests.chassis.files.hostile_parsers"


@asynccontextmanager
async def opened(limits: SandboxLimits, *modules: str) -> AsyncGenerator[Sandbox]:
    sandbox = Sandbox(limits, modules)
    try:
        yield sandbox
    finally:
        await sandbox.close()


async def parse(
    function: str, *arguments: Any, limits: SandboxLimits | None = None, data: bytes = b""
) -> list[Any]:
    async with opened(limits or SandboxLimits()) as sandbox, sandbox.turn():
        return await sandbox.parse(HOSTILE, function, data, *arguments)


@pytest.fixture
def find_children() -> Callable[[], list[psutil.Process]]:
    """Return a function that gives the living children of sandboxes that this test started."""
    earlier = {child.pid for child in psutil.Process().children()}

    def find() -> list[psutil.Process]:
        children: list[psutil.Process] = []
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if child.pid not in earlier and "sandbox_child" in " ".join(child.cmdline()):
                    children.append(child)
        return children

    return find


async def test_the_child_gives_what_the_function_yields() -> None:
    data = bytes(range(256)) * 4096
    assert await parse("turned", "émas", data=data) == ["samé", len(data)]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("crash", ()),
        ("broken", ("Siti Aminah",)),
        ("phone", ()),
        ("nothing_of_this_name", ()),
    ],
)
async def test_a_child_that_fails_means_an_unreadable_file(
    function: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(FileUnreadable) as caught:
        await parse(function, *arguments)
    assert not isinstance(caught.value, FileTooLarge)
    assert (caught.value.status, caught.value.code) == (422, "unreadable")
    assert "Siti" not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("function", "arguments", "limits"),
    [
        ("greedy", (), SandboxLimits(memory_mib=256)),
        ("aborting", (), SandboxLimits()),
        ("killed", (), SandboxLimits()),
        ("endless", (), SandboxLimits(seconds=1)),
        ("limited", (), SandboxLimits()),
        ("chatty", (2,), SandboxLimits(result_mib=1)),
        ("wordy", (3,), SandboxLimits(result_mib=1)),
    ],
)
async def test_a_child_that_exceeds_a_limit_means_a_file_too_large(
    function: str, arguments: tuple[Any, ...], limits: SandboxLimits
) -> None:
    with pytest.raises(FileTooLarge) as caught:
        await parse(function, *arguments, limits=limits)
    assert (caught.value.status, caught.value.code) == (422, "file_too_large")


async def test_a_child_that_waits_is_ended_and_says_nothing_about_the_file() -> None:
    began = time.monotonic()
    with pytest.raises(Busy) as caught:
        await parse("idle", limits=SandboxLimits(wall_seconds=1))
    assert caught.value.retry_after > 0
    assert time.monotonic() - began >= 1


async def test_the_child_writes_no_file_and_sees_no_secret_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SIGNING_KEY", "secret")
    kept = tmp_path / "kept"
    with pytest.raises(FileUnreadable):
        await parse("keep", str(kept))
    assert not kept.exists() or kept.read_bytes() == b""
    [names] = await parse("environment")
    assert set(names) <= {"PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "LC_CTYPE"}


async def test_each_file_has_a_child_of_its_own_that_was_started_ahead(
    find_children: Callable[[], list[psutil.Process]],
) -> None:
    async with opened(SandboxLimits(), HOSTILE) as sandbox:
        with sandbox.file():
            ahead = await eventually(find_children)
            async with sandbox.turn():
                [first] = await sandbox.parse(HOSTILE, "process_id", b"")
        following = await eventually(find_children)
        async with sandbox.turn():
            [second] = await sandbox.parse(HOSTILE, "process_id", b"")
    assert ([child.pid for child in ahead], [child.pid for child in following]) == (
        [first],
        [second],
    )
    assert first != second


async def test_a_child_that_died_while_waiting_is_replaced(
    find_children: Callable[[], list[psutil.Process]],
) -> None:
    """Also while its parent has not reaped it yet."""
    async with opened(SandboxLimits()) as sandbox:
        with sandbox.file():
            [child] = await eventually(find_children)
            child.kill()
            await eventually(lambda: not find_children())
            async with sandbox.turn():
                assert await sandbox.parse(HOSTILE, "turned", b"x", "ab") == ["ba", 1]


async def test_a_child_that_fails_before_its_task_says_nothing_about_the_file() -> None:
    async with opened(SandboxLimits(), "no_module_of_this_name") as sandbox, sandbox.turn():
        with pytest.raises(Busy) as caught:
            await sandbox.parse(HOSTILE, "turned", b"x", "ab")
    assert caught.value.retry_after > 0


async def test_a_closed_sandbox_starts_no_child_ahead(
    find_children: Callable[[], list[psutil.Process]],
) -> None:
    sandbox = Sandbox(SandboxLimits())
    with sandbox.file():
        await sandbox.close()
        async with sandbox.turn():
            assert await sandbox.parse(HOSTILE, "turned", b"x", "ab") == ["ba", 1]
    with sandbox.file():
        await asyncio.sleep(0)  # a child would be started in the next turn of the loop
    assert find_children() == []


async def test_more_files_than_allowed_are_busy_with_retry_after() -> None:
    async with opened(SandboxLimits(files=2)) as sandbox:
        with sandbox.file(), sandbox.file(), pytest.raises(Busy) as caught, sandbox.file():
            pass
        assert (caught.value.status, caught.value.retry_after > 0) == (503, True)
        with sandbox.file():
            pass


async def test_a_file_that_waits_too_long_for_its_turn_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox_module, "WAIT_SECONDS", 0.05)
    async with opened(SandboxLimits(children=1)) as sandbox, sandbox.turn():
        with pytest.raises(Busy):
            async with sandbox.turn():
                pass


async def test_one_child_runs_at_a_time() -> None:
    async with opened(SandboxLimits(children=1)) as sandbox:
        running = 0
        most = 0

        async def work() -> None:
            nonlocal running, most
            async with sandbox.turn():
                running += 1
                most = max(most, running)
                await sandbox.parse(HOSTILE, "turned", b"", "x")
                running -= 1

        await asyncio.gather(work(), work(), work())
    assert most == 1
