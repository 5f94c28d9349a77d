"""The sandbox parses a foreign file within limits; any misbehaviour is answered with 422."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from chassis.files.sandbox import FileUnreadable, SandboxLimits, call

HOSTILE = "tests.chassis.files.hostile_parsers"


async def test_the_child_gives_what_the_function_gives() -> None:
    assert await call(HOSTILE, "turned", "émas", b"\x00\xff") == ["samé", 2]


@pytest.mark.parametrize(
    ("function", "arguments", "limits"),
    [
        ("greedy", (), SandboxLimits(memory_mib=256)),
        ("endless", (), SandboxLimits(seconds=1)),
        ("crash", (), SandboxLimits()),
        ("broken", ("Siti Aminah",), SandboxLimits()),
        ("chatty", (2,), SandboxLimits(result_mib=1)),
        ("phone", (), SandboxLimits()),
        ("nothing_of_this_name", (), SandboxLimits()),
    ],
)
async def test_a_child_that_exceeds_a_limit_or_dies_is_an_unreadable_file(
    function: str, arguments: tuple[Any, ...], limits: SandboxLimits
) -> None:
    with pytest.raises(FileUnreadable) as caught:
        await call(HOSTILE, function, *arguments, limits=limits)
    assert (caught.value.status, caught.value.code) == (422, "unreadable")
    assert "Siti" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_a_child_that_waits_is_ended_at_the_limit_of_wall_time() -> None:
    began = time.monotonic()
    with pytest.raises(FileUnreadable):
        await call(HOSTILE, "idle", limits=SandboxLimits(seconds=1))
    assert 5 < time.monotonic() - began < 30


async def test_the_child_writes_no_file_and_sees_no_secret_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SIGNING_KEY", "secret")
    kept = tmp_path / "kept"
    with pytest.raises(FileUnreadable):
        await call(HOSTILE, "keep", str(kept))
    assert not kept.exists() or kept.read_bytes() == b""
    assert set(await call(HOSTILE, "environment")) <= {
        "PYTHONIOENCODING",
        "PYTHONDONTWRITEBYTECODE",
        "LC_CTYPE",
    }
