"""The encrypted parts of files on GridFS, which takes part in no transaction.

A part is stored first, and the upload that names it is committed afterwards. The id of a part
begins with that of its upload, so that the parts of one are found by an index, also those of a
process that was killed. Not here: which parts make a file (upload_rules).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import Any

from chassis.files.encryption import FileKeys
from chassis.files.upload_rules import PART_BYTES, OffsetDiffers, Part, Upload
from chassis.ids import new_id
from chassis.persistence.field_encryption import OVERHEAD_BYTES
from chassis.persistence.mongo import GridFSError, Mongo

BUCKET = "files"
_SEPARATOR = "/"
_AFTER_SEPARATOR = "0"  # the next character


class Parts:
    """The parts of one database."""

    def __init__(self, db: Mongo, keys: FileKeys) -> None:
        self._keys = keys
        # one chunk of GridFS for each part
        self._bucket: Any = db.bucket(BUCKET, PART_BYTES + OVERHEAD_BYTES)

    async def add(self, upload: Upload, offset_bytes: int, data: bytes) -> Part:
        """Encrypt and store the bytes that begin at this offset."""
        part_id = f"{upload.id}{_SEPARATOR}{new_id()}"
        encrypted = self._keys.encrypt(upload.key, data, _place(part_id, offset_bytes))
        await self._bucket.upload_from_stream_with_id(part_id, upload.id, encrypted)
        return Part(id=part_id, size_bytes=len(data))

    async def read(self, upload: Upload, offset_bytes: int, part: Part) -> bytes:
        """Return the bytes of a part. Raises OffsetDiffers when another request replaced it."""
        try:
            stored = await self._bucket.open_download_stream(part.id)
            encrypted = await stored.read()
        except GridFSError:
            raise OffsetDiffers(offset=upload.offset_bytes) from None
        return self._keys.decrypt(upload.key, encrypted, _place(part.id, offset_bytes))

    async def read_all(self, upload: Upload, parts: Iterable[Part]) -> AsyncGenerator[bytes]:
        """Yield the bytes of a file, part by part."""
        offset_bytes = 0
        for part in parts:
            yield await self.read(upload, offset_bytes, part)
            offset_bytes += part.size_bytes

    async def remove(self, parts: Iterable[Part]) -> None:
        """Remove parts that no upload names; one that is gone already is no error."""
        for part in parts:
            with suppress(GridFSError):
                await self._bucket.delete(part.id)


async def remove_parts_of(upload_id: str, db: Mongo) -> None:
    """Remove all parts of an upload, and what a killed process left of one."""
    of_upload = {"$gte": upload_id + _SEPARATOR, "$lt": upload_id + _AFTER_SEPARATOR}
    await db.delete(f"{BUCKET}.files", {"_id": of_upload})
    await db.delete(f"{BUCKET}.chunks", {"files_id": of_upload})


def _place(part_id: str, offset_bytes: int) -> str:
    return f"{part_id} at {offset_bytes}"
