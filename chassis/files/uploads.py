"""Uploads: begin one, store the bytes as they arrive, and take the complete file.

The step that completes a file is committed together with what is made of it. A process that is
killed before leaves the upload at the last byte that it acknowledged. Not here: headers (tus).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect

from chassis.errors import Busy, DomainError
from chassis.files import media_types, upload_rules
from chassis.files.encryption import FileKeys
from chassis.files.media_types import FileTypeDiffers, FileTypeRefused, MediaType
from chassis.files.parts import Parts, remove_parts_of
from chassis.files.tus import Continuation, Creation
from chassis.files.upload_rules import (
    PART_BYTES,
    FileFacts,
    OffsetDiffers,
    Part,
    Upload,
    UploadState,
)
from chassis.files.upload_store import UploadTransaction
from chassis.files.virus_scanner import FileInfected, VirusScanner
from chassis.ids import new_id
from chassis.persistence.transactions import Runner

SWEEP_JOB = "sweep-uploads"
SWEEP_EVERY_SECONDS = 60.0
MAX_SWEPT = 20
RETRY_AFTER_SECONDS = 5
REFUSALS = (FileInfected, FileTypeDiffers, FileTypeRefused)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePolicy:
    """Which files a route takes: up to how many bytes, and of which types."""

    max_bytes: int
    accepted: frozenset[MediaType]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteFile:
    """A file whose last bytes are stored, until `complete` commits it with what is made of it."""

    upload: Upload
    tail: tuple[Part, ...]
    facts: FileFacts
    stored: Parts

    def read(self) -> AsyncGenerator[bytes]:
        """Yield the bytes of the file."""
        return self.stored.read_all(self.upload, (*self.upload.full_parts, *self.tail))


Take = Callable[[CompleteFile], Awaitable[None]]


async def begin(
    facility_id: str,
    creation: Creation,
    keys: FileKeys,
    policy: FilePolicy,
    tx: UploadTransaction,
) -> Upload:
    """Begin an upload. Raises UploadEmpty, UploadTooLarge, TooManyUploads."""
    open_uploads = await tx.uploads.count_open(facility_id)
    upload_rules.require_length(creation.length_bytes, policy.max_bytes, open_uploads)
    expires_at = tx.now + upload_rules.LIFETIME
    upload = Upload(
        id=new_id(),
        facility_id=facility_id,
        length_bytes=creation.length_bytes,
        metadata=creation.metadata,
        key=keys.new_key(),
        put_by=tx.caller.subject,
        put_for=tx.caller.on_behalf_of,
        created_at=tx.now,
        expires_at=expires_at,
        sweep_at=expires_at,
    )
    tx.note("uploads.begun", upload.id, facility=facility_id, bytes=creation.length_bytes)
    return tx.uploads.add(upload)


async def find_upload(upload_id: str, tx: UploadTransaction) -> Upload:
    """Return an upload in the caller's scope. Raises UploadUnknown."""
    upload = await tx.uploads.get(upload_id)
    upload_rules.require_known(upload, tx.now)
    return upload


async def complete(file: CompleteFile, result_id: str, tx: UploadTransaction) -> Upload:
    """Complete the upload with what was made of its file. Raises UploadUnknown, OffsetDiffers."""
    before = await find_upload(file.upload.id, tx)
    after = upload_rules.complete(
        before, file.upload.offset_bytes, file.tail, file.facts, result_id, tx.now
    )
    facts = {"facility": before.facility_id, "sha256": after.sha256, "result": result_id}
    tx.note("uploads.completed", before.id, **facts)
    tx.wake(SWEEP_JOB)
    return tx.uploads.save(before, after)


class UploadSlots:
    """How many requests receive bytes at once; each has up to five parts in memory."""

    def __init__(self, limit: int) -> None:
        self._free = limit

    @contextmanager
    def one(self) -> Generator[None]:
        """Hold a slot. Raises Busy when there is none."""
        if self._free == 0:
            raise Busy(retry_after=RETRY_AFTER_SECONDS)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Receives the body of one request, which continues an upload, and takes the complete file."""

    upload: Upload
    slots: UploadSlots
    stored: Parts
    scanner: VirusScanner
    policy: FilePolicy
    stated_type: str
    run: Runner[Any]

    async def receive(self, stated: Continuation, body: AsyncIterable[bytes], take: Take) -> Upload:
        """Store the bytes of the body after those of the upload; return the upload.

        Bytes that came before the client left are kept. `take` gets the complete file and commits
        it. Raises BeyondLength, Busy, OffsetDiffers, and what `take` raises.
        """
        upload_rules.require_offset(self.upload, stated.offset_bytes)
        upload_rules.require_within(self.upload, stated.announced_bytes)
        with self.slots.one():
            return await self._receive(body, take)

    async def _receive(self, body: AsyncIterable[bytes], take: Take) -> Upload:
        waiting = bytearray()
        try:
            async for data in body:
                waiting += data
                upload_rules.require_within(self.upload, len(waiting))
                while len(waiting) > (room := self.upload.room_bytes):
                    await self._keep(bytes(waiting[:room]))
                    del waiting[:room]
        except ClientDisconnect:
            if not self._is_last(len(waiting)):
                await self._keep(bytes(waiting))
            raise
        if self.upload.state is UploadState.COMPLETE:
            return self.upload
        if self._is_last(len(waiting)):
            await self._finish(bytes(waiting), take)
        else:
            await self._keep(bytes(waiting))
        return self.upload

    def _is_last(self, more_bytes: int) -> bool:
        return self.upload.offset_bytes + more_bytes == self.upload.length_bytes

    async def _keep(self, data: bytes) -> None:
        """Store more bytes and commit them. Raises OffsetDiffers."""
        if not data:
            return
        before = self.upload
        tail = await self._store(data)
        try:
            self.upload = await self.run(partial(_append, before, tail))
        except OffsetDiffers:
            await self.stored.remove(tail)
            raise
        if before.last_part is not None:
            await self.stored.remove([before.last_part])

    async def _finish(self, data: bytes, take: Take) -> None:
        """Store the last bytes and take the file. A refused file is removed."""
        tail = await self._store(data)
        try:
            file = await self._check(tail)
        except REFUSALS as refusal:
            await self.run(partial(_remove, self.upload, refusal.code))
            raise
        except DomainError:
            await self.stored.remove(tail)
            raise
        try:
            await take(file)
        except Busy:  # it is not known whether the file was taken
            raise
        except DomainError:
            await self.stored.remove(tail)
            raise
        self.upload = await self.run(partial(find_upload, self.upload.id))

    async def _store(self, data: bytes) -> tuple[Part, ...]:
        """Store the bytes, and those of the part that is not full, as new parts."""
        last = self.upload.last_part
        offset_bytes = self.upload.offset_bytes
        if last is not None:
            offset_bytes -= last.size_bytes
            data = await self.stored.read(self.upload, offset_bytes, last) + data
        parts: list[Part] = []
        for start in range(0, len(data), PART_BYTES):
            piece = data[start : start + PART_BYTES]
            parts.append(await self.stored.add(self.upload, offset_bytes + start, piece))
        return tuple(parts)

    async def _check(self, tail: tuple[Part, ...]) -> CompleteFile:
        """Return the complete file with its hash and type. Raises REFUSALS, ScannerUnavailable."""
        digest = hashlib.sha256()
        head = b""
        parts = (*self.upload.full_parts, *tail)
        async for data in self.stored.read_all(self.upload, parts):
            head = head or data
            digest.update(data)
        media_type = media_types.sniff(head)
        media_types.require_type(self.stated_type, media_type, self.policy.accepted)
        facts = FileFacts(sha256=digest.hexdigest(), media_type=media_type.value)
        file = CompleteFile(upload=self.upload, tail=tail, facts=facts, stored=self.stored)
        await self.scanner.scan(file.read())
        return file


async def _append(before: Upload, parts: tuple[Part, ...], tx: UploadTransaction) -> Upload:
    upload = await find_upload(before.id, tx)
    appended = upload_rules.append(upload, before.offset_bytes, parts)
    return tx.uploads.save(upload, appended)


async def _remove(before: Upload, reason: str, tx: UploadTransaction) -> Upload:
    upload = await find_upload(before.id, tx)
    upload_rules.require_offset(upload, before.offset_bytes)
    tx.note("uploads.refused", upload.id, facility=upload.facility_id, reason=reason)
    tx.wake(SWEEP_JOB)
    return tx.uploads.save(upload, upload_rules.remove(upload, tx.now))


async def sweep_uploads(run: Runner[Any]) -> bool:
    """Remove the parts and rows of a few uploads that have ended; return whether more may wait."""
    uploads = await run(_find_to_sweep)
    for upload in uploads:
        await remove_parts_of(upload.id, run.engine.db)
        await run(partial(_sweep, upload))
    return len(uploads) == MAX_SWEPT


async def _find_to_sweep(tx: UploadTransaction) -> list[Upload]:
    return await tx.uploads.find_to_sweep(tx.now, MAX_SWEPT)


async def _sweep(swept: Upload, tx: UploadTransaction) -> None:
    """Record that the parts are removed, unless the upload has changed meanwhile."""
    upload = await tx.uploads.seek(swept.id)
    if upload is None or upload.version != swept.version:
        return
    after = upload_rules.sweep(upload, tx.now)
    if after is None:
        tx.uploads.remove(upload)
    else:
        tx.uploads.save(upload, after)
