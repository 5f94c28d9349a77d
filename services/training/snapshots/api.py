"""How snapshots are brought and asked for."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from chassis.files import sandbox
from chassis.files.sandbox import FileUnreadable, SandboxLimits
from chassis.http import dependencies, paging
from services.training import texts
from services.training.snapshot_rows.rules import Effect, ReportedError, RowReason
from services.training.snapshots import usecases
from services.training.snapshots.reader import Layout, ParsedFile
from services.training.snapshots.rules import Snapshot, SnapshotState
from services.training.snapshots.usecases import Upload
from services.training.transaction import Run, Transaction

router = APIRouter(tags=["Impor SDP"])
MAX_FILE_BYTES = 20 * 1024 * 1024
SANDBOX_LIMITS = SandboxLimits(seconds=20, memory_mib=512)


class SnapshotBody(BaseModel):
    """One file of a facility's population and what became of it."""

    snapshot_id: str
    version: int
    facility_id: str
    taken_at: datetime
    received_at: datetime
    applied_at: datetime | None
    checksum: str
    state: SnapshotState
    duplicate: bool = False
    reason: str | None
    message: str | None
    missing_columns: list[str]
    row_count: int
    counts: dict[str, int]
    released_by_kind: dict[str, int]

    @classmethod
    def of(cls, snapshot: Snapshot, *, duplicate: bool = False) -> SnapshotBody:
        """The body of a snapshot."""
        counts = snapshot.counts
        return cls(
            snapshot_id=snapshot.id,
            version=snapshot.version,
            facility_id=snapshot.facility_id,
            taken_at=snapshot.taken_at,
            received_at=snapshot.received_at,
            applied_at=snapshot.applied_at,
            checksum=snapshot.checksum,
            state=snapshot.state,
            duplicate=duplicate,
            reason=snapshot.reason or None,
            message=texts.GUARDS.get(snapshot.reason),
            missing_columns=list(snapshot.also),
            row_count=snapshot.row_count,
            counts={name: count for name, count in sorted(counts.items()) if "." not in name},
            released_by_kind={
                name.partition(".")[2]: count
                for name, count in sorted(counts.items())
                if name.startswith("released.")
            },
        )


class RowErrorBody(BaseModel):
    """One thing wrong with one row. `effect`: the row changed nothing, the field kept its value, or it was taken all the same."""

    sheet: str | None
    row: int
    column: str
    field: str
    reason: RowReason
    message: str
    effect: Effect
    raw: str | None

    @classmethod
    def of(cls, reported: ReportedError) -> RowErrorBody:
        """The body of a row error."""
        error = reported.error
        return cls(
            sheet=error.sheet or None,
            row=error.row,
            column=error.column,
            field=error.field,
            reason=error.reason,
            message=texts.ROWS[error.reason],
            effect=error.effect,
            raw=error.raw or None,
        )


class Release(BaseModel):
    """Why the quarantined list is right after all."""

    model_config = dependencies.STRICT
    reason: Annotated[str, Field(min_length=5, max_length=500)]


@router.post(
    "/v1/facilities/{facility_id}/snapshots",
    status_code=201,
    summary="Unggah daftar penghuni (CSV atau XLSX)",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload_snapshot(
    facility_id: str,
    taken_at: Annotated[
        AwareDatetime, Query(description="Saat data diambil, mis. 2026-11-16T14:00:00+07:00")
    ],
    request: Request,
    run: Run,
    response: Response,
) -> SnapshotBody:
    """The raw bytes of the file are the body. The same bytes again change nothing (200)."""
    data = await dependencies.whole_body(request, limit=MAX_FILE_BYTES)
    upload = Upload(
        facility_id=facility_id, taken_at=taken_at, checksum=hashlib.sha256(data).hexdigest()
    )
    intake = await replace(run, key=None)(partial(usecases.intake, upload))
    sheets = None if intake.is_known else await _parse(data, intake.mapping.layout)
    duplicate = False

    async def receive(tx: Transaction) -> Snapshot:
        nonlocal duplicate
        snapshot, duplicate = await usecases.receive_snapshot(upload, sheets, tx)
        return snapshot

    snapshot = await run(receive)
    response.status_code = 200 if duplicate else 201
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot, duplicate=duplicate)


async def _parse(data: bytes, layout: Layout) -> ParsedFile | None:
    """The file's cells, read in a child process; None when it cannot be read."""
    try:
        return await sandbox.call(
            "services.training.snapshots.reader", "read", data, layout, limits=SANDBOX_LIMITS
        )
    except FileUnreadable:
        return None


@router.get(
    "/v1/facilities/{facility_id}/snapshots", summary="Daftar berkas yang diterima dari UPT"
)
async def list_snapshots(
    facility_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[SnapshotBody]:
    """A facility's snapshots, newest first."""
    page = await run(partial(usecases.snapshots, facility_id, cursor, limit))
    return paging.PageBody(
        items=[SnapshotBody.of(snapshot) for snapshot in page.items], next_cursor=page.next_cursor
    )


@router.get("/v1/snapshots/{snapshot_id}", summary="Lihat hasil impor satu berkas")
async def show_snapshot(snapshot_id: str, run: Run, response: Response) -> SnapshotBody:
    """One snapshot with its counts."""
    snapshot = await run(partial(usecases.snapshot, snapshot_id))
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)


@router.get(
    "/v1/snapshots/{snapshot_id}/row-errors",
    summary="Baris dan kolom yang bermasalah dalam satu berkas",
)
async def list_row_errors(
    snapshot_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[RowErrorBody]:
    """What was wrong, by sheet and row."""
    page = await run(partial(usecases.row_errors, snapshot_id, cursor, limit))
    return paging.PageBody(
        items=[RowErrorBody.of(error) for error in page.items], next_cursor=page.next_cursor
    )


@router.post("/v1/snapshots/{snapshot_id}/release", summary="Lepas berkas dari karantina")
async def release_snapshot(
    snapshot_id: str, body: Release, version: dependencies.IfMatch, run: Run, response: Response
) -> SnapshotBody:
    """By a person other than the one who uploaded it, with a reason."""
    snapshot = await run(partial(usecases.release_snapshot, snapshot_id, body.reason, version))
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)


@router.post("/v1/snapshots/{snapshot_id}/stopped-rows", summary="Coba lagi baris yang tertahan")
async def retry_stopped_rows(snapshot_id: str, run: Run, response: Response) -> SnapshotBody:
    """After the mapping has learnt the words that stopped them."""
    snapshot = await run(partial(usecases.retry_stopped_rows, snapshot_id))
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)
