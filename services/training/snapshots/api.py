"""Routes of snapshots: upload, list, show, release, retry stopped rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from chassis.files.sandbox import Sandbox
from chassis.files.virus_scanner import VirusScanner
from chassis.http import dependencies, paging
from chassis.moments import Moment
from services.training.mappings.parsed_file import SkippedSheet
from services.training.settings import TEXTS
from services.training.snapshot_rows import row_errors
from services.training.snapshot_rows.rules import ReportedError, RowErrorEffect, RowReason
from services.training.snapshots import corrections, upload_process, usecases
from services.training.snapshots.rules import Guard, Snapshot, SnapshotState
from services.training.snapshots.taken_at import TakenAtCorrection
from services.training.snapshots.upload_usecases import MAX_FILE_BYTES
from services.training.transaction import Run

router = APIRouter(tags=["Impor SDP"])


async def _count_file(request: Request) -> AsyncGenerator[Sandbox]:
    """Give the sandbox; counts the file before its bytes are read. Raises Busy."""
    sandbox: Sandbox = request.app.state.sandbox
    with sandbox.file():
        yield sandbox


FileTurn = Annotated[Sandbox, Depends(_count_file)]


class SkippedSheetBody(BaseModel):
    """A sheet of a workbook that was not read, and why."""

    sheet: str
    reason: str
    message: str

    @classmethod
    def of(cls, skipped: SkippedSheet) -> SkippedSheetBody:
        """Return the body of a skipped sheet."""
        message = TEXTS[f"sheets.{skipped.reason}"].localised
        return cls(sheet=skipped.sheet, reason=skipped.reason, message=message)


class SnapshotBody(BaseModel):
    """One file of a facility's population and what it changed."""

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
    headings_twice: list[str]
    skipped_sheets: list[SkippedSheetBody]
    row_count: int
    counts: dict[str, int]
    released_by_kind: dict[str, int]
    correction: ProposedTimeBody | None

    @classmethod
    def of(cls, snapshot: Snapshot, *, duplicate: bool = False) -> SnapshotBody:
        """Return the body of a snapshot."""
        counts = dict(sorted(snapshot.counts.items()))
        is_twice = snapshot.reason == Guard.COLUMN_TWICE
        message = TEXTS[f"guards.{snapshot.reason}"].localised if snapshot.reason else None
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
            message=message,
            missing_columns=[] if is_twice else list(snapshot.also),
            headings_twice=list(snapshot.also) if is_twice else [],
            skipped_sheets=[SkippedSheetBody.of(sheet) for sheet in snapshot.skipped_sheets],
            row_count=snapshot.row_count,
            counts={name: count for name, count in counts.items() if "." not in name},
            released_by_kind={
                name.removeprefix("released."): count
                for name, count in counts.items()
                if name.startswith("released.")
            },
            correction=ProposedTimeBody.of(snapshot.correction) if snapshot.correction else None,
        )


class RowErrorBody(BaseModel):
    """One error in one row.

    `effect`: the row changed nothing, the field kept its value, or the value was accepted.
    """

    sheet: str | None
    row: int
    column: str
    field: str
    reason: RowReason
    message: str
    effect: RowErrorEffect
    raw: str | None
    known_ref: str | None

    @classmethod
    def of(cls, reported: ReportedError) -> RowErrorBody:
        """Return the body of a row error."""
        error = reported.error
        return cls(
            sheet=error.sheet or None,
            row=error.row,
            column=error.column,
            field=error.field,
            reason=error.reason,
            message=TEXTS[f"rows.{error.reason}"].localised,
            effect=error.effect,
            raw=error.raw or None,
            known_ref=error.known_ref or None,
        )


class TakenAtBody(BaseModel):
    """When the data of the list was really taken, and why the stated time is wrong."""

    model_config = dependencies.STRICT
    taken_at: Moment
    reason: Annotated[str, Field(min_length=5, max_length=500)]


class ProposedTimeBody(BaseModel):
    """A proposed or approved correction of a list's time."""

    taken_at: datetime
    stated: datetime
    reason: str
    proposed_by: str
    approved_by: str | None

    @classmethod
    def of(cls, correction: TakenAtCorrection) -> ProposedTimeBody:
        """Return the body of a correction."""
        return cls(
            taken_at=correction.taken_at,
            stated=correction.stated,
            reason=correction.reason,
            proposed_by=correction.proposed_by,
            approved_by=correction.approved_by or None,
        )


class ReleaseBody(BaseModel):
    """Why the quarantined list is right nevertheless."""

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
    sandbox: FileTurn,
    facility_id: str,
    taken_at: Annotated[
        Moment, Query(description="Saat data diambil, mis. 2026-11-16T14:00:00+07:00")
    ],
    request: Request,
    run: Run,
    response: Response,
) -> SnapshotBody:
    """Upload a small snapshot at once; the body is the raw bytes. Known bytes give 200.

    A resumable upload begins with `POST /v1/facilities/{facility_id}/snapshot-uploads`.
    """
    data = await dependencies.whole_body(request, limit=MAX_FILE_BYTES)
    scanner: VirusScanner = request.app.state.scanner
    received = await upload_process.upload(facility_id, taken_at, data, sandbox, scanner, run)
    response.status_code = 200 if received.is_duplicate else 201
    dependencies.set_etag(response, received.snapshot)
    return SnapshotBody.of(received.snapshot, duplicate=received.is_duplicate)


@router.get(
    "/v1/facilities/{facility_id}/snapshots", summary="Daftar berkas yang diterima dari UPT"
)
async def list_snapshots(
    facility_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[SnapshotBody]:
    """List a facility's snapshots, newest first."""
    page = await run(partial(usecases.list_snapshots, facility_id, cursor, limit))
    items = [SnapshotBody.of(snapshot) for snapshot in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.get("/v1/snapshots/{snapshot_id}", summary="Lihat hasil impor satu berkas")
async def show_snapshot(snapshot_id: str, run: Run, response: Response) -> SnapshotBody:
    """Show one snapshot with its counts."""
    snapshot = await run(partial(usecases.read_snapshot, snapshot_id))
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)


@router.get(
    "/v1/snapshots/{snapshot_id}/row-errors",
    summary="Baris dan kolom yang bermasalah dalam satu berkas",
)
async def list_row_errors(
    snapshot_id: str, run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[RowErrorBody]:
    """List the errors of a snapshot's rows, by sheet and row."""
    page = await run(partial(row_errors.list_page, snapshot_id, cursor, limit))
    items = [RowErrorBody.of(error) for error in page.items]
    return paging.PageBody(items=items, next_cursor=page.next_cursor)


@router.post("/v1/snapshots/{snapshot_id}/release", summary="Lepas berkas dari karantina")
async def release_snapshot(
    snapshot_id: str,
    body: ReleaseBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> SnapshotBody:
    """Release a quarantined snapshot, as another person than the uploader, with a reason."""
    command = partial(usecases.release_snapshot, snapshot_id, body.reason, version)
    snapshot = await run(command)
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)


@router.post(
    "/v1/snapshots/{snapshot_id}/taken-at-correction",
    summary="Usulkan pembetulan waktu daftar terakhir",
)
async def propose_taken_at(
    snapshot_id: str,
    body: TakenAtBody,
    version: dependencies.RequiredIfMatch,
    run: Run,
    response: Response,
) -> SnapshotBody:
    """Propose the true time of the facility's last accepted list; another person approves it."""
    command = partial(
        corrections.propose_taken_at, snapshot_id, body.taken_at, body.reason, version
    )
    snapshot = await run(command)
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)


@router.post(
    "/v1/snapshots/{snapshot_id}/taken-at-correction/approval",
    summary="Setujui pembetulan waktu daftar terakhir",
)
async def approve_taken_at(
    snapshot_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> SnapshotBody:
    """Approve the proposed time as another person; later lists are then judged by it."""
    snapshot = await run(partial(corrections.approve_taken_at, snapshot_id, version))
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)


@router.post("/v1/snapshots/{snapshot_id}/stopped-rows", summary="Coba lagi baris yang tertahan")
async def retry_stopped_rows(
    snapshot_id: str, version: dependencies.RequiredIfMatch, run: Run, response: Response
) -> SnapshotBody:
    """Retry stopped rows after the words that stopped them were mapped."""
    snapshot = await run(partial(usecases.retry_stopped_rows, snapshot_id, version))
    dependencies.set_etag(response, snapshot)
    return SnapshotBody.of(snapshot)
