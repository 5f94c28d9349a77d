"""Probes of local processes: a GET over loopback, a TCP connection.

Not here: what the responses mean.
"""

import asyncio
from typing import Any, cast

import aiohttp

from ops.local import platform_checks

_DEFAULT_MONGO_PORT = 27017
_CONNECT_SECONDS = 2.0
_NO_ANSWER: tuple[int, dict[str, Any]] = (0, {})


async def get(port: int, path: str, *, seconds: float = 3.0) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object of the body, {} if the body is no JSON object.

    Returns (0, {}) when no response arrives within `seconds`.
    """
    timeout = aiohttp.ClientTimeout(total=seconds)
    url = f"http://{platform_checks.LOOPBACK}:{port}{path}"
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return response.status, await _read_object(response)
    except (aiohttp.ClientError, TimeoutError):
        return _NO_ANSWER


async def _read_object(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        body: object = await response.json(content_type=None)
    except ValueError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


async def accepts(addresses: str) -> bool:
    """Return whether one of `host:port,...` accepts a connection."""
    for address in addresses.split(","):
        host, _, port_text = address.rpartition(":")
        port = int(port_text) if port_text.isdecimal() else _DEFAULT_MONGO_PORT
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(host or address, port)
        except (OSError, TimeoutError):
            continue
        writer.close()
        return True
    return False
