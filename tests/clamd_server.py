"""A server that speaks clamd's INSTREAM: it finds the word EICAR. Not here: tests."""

from __future__ import annotations

import asyncio
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

EICAR = b"EICAR"
MAX_PIECE_BYTES = 64 * 1024


class ClamdServer:
    """Its address, the files that it was sent, and how it behaves.

    `answer` replaces the verdict. Beyond `max_bytes` it answers with an error and hangs up, as
    clamd does at its StreamMaxLength. A silent one never answers.
    """

    def __init__(self) -> None:
        self.address = ""
        self.scanned: list[bytes] = []
        self.answer = b""
        self.max_bytes = 64 * 1024 * 1024
        self.is_silent = False

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            writer.write(await self._verdict(reader))
            await writer.drain()
        finally:
            writer.close()

    async def _verdict(self, reader: StreamReader) -> bytes:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        data = bytearray()
        while True:
            (length,) = struct.unpack("!L", await reader.readexactly(4))
            assert length <= MAX_PIECE_BYTES
            if not length:
                break
            data += await reader.readexactly(length)
            if len(data) > self.max_bytes:
                return b"INSTREAM size limit exceeded. ERROR\0"
        self.scanned.append(bytes(data))
        if self.is_silent:
            await reader.read()
        found = b"stream: Eicar-Test-Signature FOUND\0" if EICAR in data else b"stream: OK\0"
        return self.answer or found


@asynccontextmanager
async def clamd() -> AsyncGenerator[ClamdServer]:
    """Run a server on a free port of the loopback interface."""
    server = ClamdServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.address = f"127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
