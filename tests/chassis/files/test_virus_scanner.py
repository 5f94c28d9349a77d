"""The scanner asks a server that speaks INSTREAM; without a verdict no file is taken."""

from __future__ import annotations

import pytest

from chassis.files.virus_scanner import FileInfected, ScannerUnavailable, VirusScanner
from tests.clamd_server import EICAR, ClamdServer, clamd


async def test_the_scanner_is_off_without_an_address() -> None:
    await VirusScanner("").scan_bytes(EICAR)


async def test_clean_bytes_pass_and_arrive_complete() -> None:
    data = bytes(range(256)) * 1000
    async with clamd() as server:
        await VirusScanner(server.address).scan_bytes(data)
        assert server.scanned == [data]


async def test_a_virus_is_refused() -> None:
    async with clamd() as server:
        with pytest.raises(FileInfected):
            await VirusScanner(server.address).scan_bytes(b"x" * 100_000 + EICAR)


async def test_a_scanner_that_is_away_lets_nothing_pass() -> None:
    async with clamd() as server:
        address = server.address
    with pytest.raises(ScannerUnavailable) as unavailable:
        await VirusScanner(address).scan_bytes(b"x")
    assert (unavailable.value.status, unavailable.value.retry_after) == (503, 30)


def be_silent(server: ClamdServer) -> None:
    server.is_silent = True


def hang_up(server: ClamdServer) -> None:
    server.answer = b"stream: O"


def fail(server: ClamdServer) -> None:
    server.answer = b"stream: Can't allocate memory ERROR\0"


def limit_size(server: ClamdServer) -> None:
    server.max_bytes = 10


def chatter(server: ClamdServer) -> None:
    server.answer = b"stream: OK" * 1000


@pytest.mark.parametrize("misbehave", [be_silent, hang_up, fail, limit_size, chatter])
async def test_a_scanner_without_a_verdict_lets_nothing_pass(misbehave: object) -> None:
    assert callable(misbehave)
    async with clamd() as server:
        misbehave(server)
        with pytest.raises(ScannerUnavailable):
            await VirusScanner(server.address, seconds=2).scan_bytes(b"x" * 1_000_000)
