"""Asking a part how it is: one GET over loopback. Not here: what the answers mean."""

import asyncio
import json
from typing import Any, cast

from ops.local import platform_checks

_LARGEST = 1024 * 1024


async def get(port: int, path: str, *, seconds: float = 3.0) -> tuple[int, dict[str, Any]]:
    """Status and JSON body (empty when it is none); (0, {}) when nobody answers in time."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                platform_checks.LOOPBACK, port, limit=_LARGEST
            )
            try:
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: {platform_checks.LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode()
                )
                await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line[15:])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length:")
                    ),
                    0,
                )
                body = await reader.readexactly(min(length, _LARGEST))
            finally:
                writer.close()
    except (
        OSError,
        TimeoutError,
        asyncio.IncompleteReadError,
        asyncio.LimitOverrunError,
        ValueError,
    ):
        return 0, {}
    status = int(head.split(b" ", 2)[1])
    try:
        found: object = json.loads(body) if body else {}
    except ValueError:
        return status, {}
    return status, cast("dict[str, Any]", found) if isinstance(found, dict) else {}


async def accepts(addresses: str) -> bool:
    """Whether one of `host:port,...` takes a connection."""
    for address in addresses.split(","):
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(2):
                _, writer = await asyncio.open_connection(
                    host or address, int(port) if port.isdecimal() else 27017
                )
        except (OSError, TimeoutError):
            continue
        writer.close()
        return True
    return False
