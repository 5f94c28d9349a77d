"""A client of clamd, which scans bytes for viruses by its command INSTREAM.

It is off without an address. Not here: which files are scanned.
"""

from __future__ import annotations

import asyncio
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress

from chassis import telemetry
from chassis.errors import Busy, Refused
from chassis.texts import TEXTS

SECONDS = 30.0
RETRY_AFTER_SECONDS = 30
PIECE_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1024
_CLEAN = "stream: OK"
_FOUND = " FOUND"

log = telemetry.log(__name__)


class FileInfected(Refused):
    """The scanner recognises a virus in the file, which is not kept."""

    title = TEXTS["errors.file_infected"]


class ScannerUnavailable(Busy):
    """The scanner is on and gives no verdict; no file is taken without one."""

    title = TEXTS["errors.scanner_unavailable"]


class VirusScanner:
    """Scans files by the clamd at `address` (`host:port`); an empty address turns it off."""

    def __init__(self, address: str, *, seconds: float = SECONDS) -> None:
        self._address = address
        self._seconds = seconds

    async def scan(self, data: AsyncIterable[bytes]) -> None:
        """Return when the bytes are clean. Raises FileInfected, ScannerUnavailable."""
        if not self._address:
            return
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(data)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            log.warning("scanner_unavailable", error=type(error).__name__)
            raise ScannerUnavailable(retry_after=RETRY_AFTER_SECONDS) from None
        if answer.endswith(_FOUND):
            log.warning("file_infected", answer=answer)
            raise FileInfected
        if answer != _CLEAN:
            log.warning("scanner_unavailable", answer=answer)
            raise ScannerUnavailable(retry_after=RETRY_AFTER_SECONDS)

    async def scan_bytes(self, data: bytes) -> None:
        """Return when the bytes are clean. Raises FileInfected, ScannerUnavailable."""
        await self.scan(_pieces(data))

    async def _ask(self, data: AsyncIterable[bytes]) -> str:
        """Return clamd's answer about the bytes."""
        host, _, port = self._address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=MAX_ANSWER_BYTES)
        try:
            # clamd ends the connection at its size limit, and has answered before
            with suppress(ConnectionError):
                await _send(data, writer)
            return await _read_answer(reader)
        finally:
            writer.close()


async def _pieces(data: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]


async def _send(data: AsyncIterable[bytes], writer: StreamWriter) -> None:
    writer.write(b"zINSTREAM\0")
    async for piece in data:
        for start in range(0, len(piece), PIECE_BYTES):
            sent = piece[start : start + PIECE_BYTES]
            writer.write(struct.pack("!L", len(sent)) + sent)
            await writer.drain()
    writer.write(struct.pack("!L", 0))
    await writer.drain()


async def _read_answer(reader: StreamReader) -> str:
    try:
        answer = await reader.readuntil(b"\0")
    except asyncio.LimitOverrunError:
        raise ValueError("clamd's answer is too long") from None
    return answer.rstrip(b"\0\n").decode("ascii", "replace")
