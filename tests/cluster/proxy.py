"""A TCP proxy that delays, holds back and cuts its connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from ops.local.platform_checks import LOOPBACK

_CHUNK = 64 * 1024


class Proxy:
    """One port that forwards to another.

    `delay`: seconds that each chunk waits, in both directions.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self.connections = 0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def hold(self) -> None:
        """Forward nothing, without closing a connection."""
        self._open.clear()

    def let_go(self) -> None:
        """Forward what was held back, and all that follows."""
        self._open.set()

    def cut(self) -> None:
        """Reset every connection; data in flight is lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until it ends."""
        self.connections += 1
        try:
            onward_reader, onward_writer = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, onward_writer}
        self._writers |= pair
        try:
            await asyncio.gather(
                self._pump(reader, onward_writer), self._pump(onward_reader, writer)
            )
        finally:
            self._writers -= pair
            for one in pair:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction; its end closes the connection."""
        try:
            while chunk := await reader.read(_CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open.wait()
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass  # a connection that was cut
        finally:
            writer.close()


@asynccontextmanager
async def running(ways: Mapping[int, int]) -> AsyncGenerator[list[Proxy]]:
    """Run proxies from the keys to the values of `ways` for the length of the block."""
    proxies = [Proxy(target) for target in ways.values()]
    servers = [
        await asyncio.start_server(proxy.serve, LOOPBACK, port)
        for proxy, port in zip(proxies, ways, strict=True)
    ]
    try:
        yield proxies
    finally:
        for server in servers:
            server.close()
        for proxy in proxies:
            proxy.let_go()
            proxy.cut()
        for server in servers:
            await server.wait_closed()
