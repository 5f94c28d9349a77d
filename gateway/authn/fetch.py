"""Fetches an issuer's documents over the network, with limits of time and size.

Not here: what they mean (keys).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import aiohttp

from gateway.authn.keys import KeysUnavailable

TIMEOUT_SECONDS = 3.0
MAX_BYTES = 262_144


async def fetch_json(url: str) -> Mapping[str, Any]:
    """Return the JSON object at this address, of at most MAX_BYTES. Follows no redirect.

    Raises KeysUnavailable.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise KeysUnavailable(f"status {response.status}")
            body = await _read_at_most(response.content, MAX_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise KeysUnavailable(type(error).__name__) from error
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise KeysUnavailable("the document is not JSON") from None
    if not isinstance(content, dict):
        raise KeysUnavailable("the document is not an object")
    return cast("dict[str, Any]", content)


async def _read_at_most(stream: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > limit:
            raise KeysUnavailable("the document is too large")
    return bytes(body)
