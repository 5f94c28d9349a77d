"""Reading an issuer's documents over the network, with limits. Not here: what they mean (keys)."""

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
    """The JSON object at this address; KeysUnavailable when there is none, in time and of a reasonable size. No redirect is followed."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise KeysUnavailable(f"status {response.status}")
            body = await response.content.read(MAX_BYTES + 1)
            while len(body) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                body += more
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise KeysUnavailable(type(error).__name__) from error
    if len(body) > MAX_BYTES:
        raise KeysUnavailable("the document is too large")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise KeysUnavailable("the document is not JSON") from None
    if not isinstance(content, dict):
        raise KeysUnavailable("the document is not an object")
    return cast("dict[str, Any]", content)
