"""Rules of uploads: files that arrive in parts, each stored before it is acknowledged.

An upload is open until its last byte is in, then complete. A complete file never changes. All parts
but the last have PART_BYTES. Not here: the protocol (tus), and where parts lie (parts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused, TooLarge
from chassis.persistence.field_encryption import WrappedKey
from chassis.texts import TEXTS

PART_BYTES = 512 * 1024
LIFETIME = timedelta(hours=24)
# a request that began before the end of an upload may still store a part
GRACE = timedelta(hours=1)
MAX_OPEN = 20


class UploadUnknown(NotFound):
    title = TEXTS["errors.upload_unknown"]


class UploadEmpty(Refused):
    title = TEXTS["errors.upload_empty"]
    field = "Upload-Length"


class UploadTooLarge(TooLarge):
    field = "Upload-Length"


class BeyondLength(TooLarge):
    """More bytes come than the upload was created for."""

    title = TEXTS["errors.beyond_length"]


class TooManyUploads(Conflict):
    title = TEXTS["errors.too_many_uploads"]


class OffsetDiffers(Conflict):
    """The bytes that come do not follow those that are stored; `offset` is where they end."""

    title = TEXTS["errors.offset_differs"]
    field = "Upload-Offset"


class UploadState(StrEnum):
    """Whether bytes are missing, all are in and the file was taken, or the file was removed."""

    OPEN = "open"
    COMPLETE = "complete"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stored part: its id in GridFS and how many bytes of the file it holds."""

    id: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file of a facility that arrives in parts.

    `metadata` is the sender's header. `result_id` is what was made of the file. The parts are
    removed at `sweep_at`, the row itself not before `expires_at`.
    """

    id: str
    facility_id: str
    length_bytes: int
    metadata: str
    key: WrappedKey
    put_by: str
    put_for: str
    created_at: datetime
    expires_at: datetime
    sweep_at: datetime
    state: UploadState = UploadState.OPEN
    parts: tuple[Part, ...] = ()
    sha256: str = ""
    media_type: str = ""
    result_id: str = ""
    version: int = 0

    @property
    def offset_bytes(self) -> int:
        """Return how many bytes are stored and acknowledged."""
        if self.state is UploadState.COMPLETE:
            return self.length_bytes
        return sum(part.size_bytes for part in self.parts)

    @property
    def full_parts(self) -> tuple[Part, ...]:
        """Return the parts to which nothing is added."""
        return tuple(part for part in self.parts if part.size_bytes == PART_BYTES)

    @property
    def last_part(self) -> Part | None:
        """Return the part that is not full; None without one."""
        return self.parts[-1] if self.parts and self.parts[-1].size_bytes < PART_BYTES else None

    @property
    def room_bytes(self) -> int:
        """Return how many bytes fill the part that is not full, or a new one."""
        return PART_BYTES - (self.last_part.size_bytes if self.last_part else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What the content of a complete file shows."""

    sha256: str
    media_type: str


def require_length(length_bytes: int, max_bytes: int, open_uploads: int) -> None:
    """Raise UploadEmpty, UploadTooLarge or TooManyUploads for an upload that is not begun."""
    if length_bytes == 0:
        raise UploadEmpty
    if length_bytes > max_bytes:
        raise UploadTooLarge(max_bytes=max_bytes)
    if open_uploads >= MAX_OPEN:
        raise TooManyUploads


def require_known(upload: Upload, now: datetime) -> None:
    """Raise UploadUnknown for an upload that has ended without a result, or expired."""
    if upload.state is UploadState.REMOVED or now >= upload.expires_at:
        raise UploadUnknown


def require_offset(upload: Upload, offset_bytes: int) -> None:
    """Raise OffsetDiffers if the stored bytes end elsewhere."""
    if offset_bytes != upload.offset_bytes:
        raise OffsetDiffers(offset=upload.offset_bytes)


def require_within(upload: Upload, more_bytes: int) -> None:
    """Raise BeyondLength if this many more bytes exceed the announced length."""
    if upload.offset_bytes + more_bytes > upload.length_bytes:
        raise BeyondLength(length=upload.length_bytes)


def append(upload: Upload, offset_bytes: int, parts: Sequence[Part]) -> Upload:
    """Return the upload with these parts after its full ones. Raises OffsetDiffers."""
    require_offset(upload, offset_bytes)
    return replace(upload, parts=(*upload.full_parts, *parts))


def complete(
    upload: Upload,
    offset_bytes: int,
    parts: Sequence[Part],
    facts: FileFacts,
    result_id: str,
    now: datetime,
) -> Upload:
    """Return the complete upload, whose file is swept at once. Raises OffsetDiffers."""
    appended = append(upload, offset_bytes, parts)
    return replace(
        appended,
        state=UploadState.COMPLETE,
        sha256=facts.sha256,
        media_type=facts.media_type,
        result_id=result_id,
        sweep_at=now,
    )


def remove(upload: Upload, now: datetime) -> Upload:
    """Return the upload without its file, which is swept at once."""
    return replace(upload, state=UploadState.REMOVED, expires_at=now + GRACE, sweep_at=now)


def sweep(upload: Upload, now: datetime) -> Upload | None:
    """Return the upload after its parts were removed; None if its row goes too."""
    if upload.state is UploadState.OPEN:
        upload = remove(upload, now)
    elif now >= upload.expires_at:
        return None
    return replace(upload, parts=(), sweep_at=upload.expires_at)
