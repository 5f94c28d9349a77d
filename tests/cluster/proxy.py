"""A TCP proxy that delays, holds back and cuts what goes through it. Not here: what that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from ops.local.platform_checks import LOOPBACK

_CHUNK = 64 * 1024


class Proxy:
    """One port that leads to another.

    `delay`: seconds that each chunk waits on its way, in both directions.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self.connections = 0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def hold(self) -> None:
        """Let nothing through, silently."""
        self._open.clear()

    def let_go(self) -> None:
        """Let through what was held back, and what comes."""
        self._open.set()

    def cut(self) -> None:
        """Reset every connection; what is on its way is gone."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
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
        """One direction; its end is the end of the connection."""
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
    """Proxies that listen on these ports and lead to those, as long as the block."""
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
