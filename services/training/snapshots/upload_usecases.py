"""Use cases of resumable uploads of snapshots: begin one, read it, receive its file.

Not here: the bytes (chassis.files), and what a list says (usecases).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.files import media_types, uploads
from chassis.files.encryption import FileKeys
from chassis.files.tus import Creation
from chassis.files.upload_rules import Upload
from chassis.files.uploads import CompleteFile, FilePolicy
from services.training.mappings.parsed_file import ParsedFile
from services.training.snapshots import taken_at as taken_at_rules
from services.training.snapshots import usecases
from services.training.snapshots.rules import Guard, Snapshot
from services.training.transaction import Transaction

MAX_FILE_BYTES = 20 * 1024 * 1024
POLICY = FilePolicy(max_bytes=MAX_FILE_BYTES, accepted=media_types.SHEETS)


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload, and the snapshot that was made of its file; None while bytes are missing."""

    upload: Upload
    snapshot: Snapshot | None


async def begin_upload(
    facility_id: str, creation: Creation, taken_at: datetime, keys: FileKeys, tx: Transaction
) -> Upload:
    """Begin the upload of a facility's list. Raises FacilityUnknown, TakenAtInFuture."""
    facility = await tx.facilities.get(facility_id)
    taken_at_rules.require_possible(taken_at, tx.now)
    return await uploads.begin(facility.id, creation, keys, POLICY, tx)


async def read_upload(upload_id: str, tx: Transaction) -> UploadView:
    """Return an upload in the caller's scope. Raises UploadUnknown."""
    upload = await uploads.find_upload(upload_id, tx)
    snapshot = await tx.snapshots.seek(upload.result_id) if upload.result_id else None
    return UploadView(upload, snapshot)


async def receive_uploaded(
    complete: CompleteFile,
    upload: usecases.Upload,
    file: ParsedFile | Guard | None,
    tx: Transaction,
) -> Snapshot:
    """Receive the snapshot of a complete file, and complete its upload with it."""
    snapshot = await usecases.receive_snapshot(upload, file, tx)
    await uploads.complete(complete, snapshot.id, tx)
    return snapshot
