"""A client of resumable uploads of snapshots, as tus 1.0.0 describes it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.fakes import AsgiClient

VERSION = {"tus-resumable": "1.0.0"}
STREAM = VERSION | {"content-type": "application/offset+octet-stream"}


def metadata(**values: str) -> str:
    """Return the header `Upload-Metadata` of these values."""
    return ",".join(f"{name} {b64encode(text.encode()).decode()}" for name, text in values.items())


async def begin(
    client: AsgiClient, facility_id: str, length: int, taken_at: str, **more: str
) -> Any:
    """Ask for a new upload and return the answer."""
    stated = {"upload-length": str(length), "upload-metadata": metadata(taken_at=taken_at)}
    return await client.post(
        f"/v1/facilities/{facility_id}/snapshot-uploads", headers=VERSION | stated | more
    )


async def begun(client: AsgiClient, facility_id: str, length: int, taken_at: str) -> str:
    """Begin an upload and return its address."""
    answer = await begin(client, facility_id, length, taken_at)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def send(client: AsgiClient, path: str, offset: int, data: Any, **more: str) -> Any:
    """Send bytes that begin at this offset and return the answer."""
    headers = STREAM | {"upload-offset": str(offset)} | more
    return await client.patch(path, headers=headers, content=data)


async def offset_of(client: AsgiClient, path: str) -> int:
    """Return how many bytes are stored."""
    answer = await client.get(path, headers=VERSION)
    assert answer.status_code == 200, answer.text
    return int(answer.headers["upload-offset"])
