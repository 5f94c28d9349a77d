"""Routes of resumable uploads of snapshots (tus 1.0.0): begin, continue, show.

Not here: the upload of a small file in one request (api).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from chassis.files import tus, uploads
from chassis.files.parts import Parts
from chassis.files.tus import TusRoute
from chassis.files.upload_rules import Upload
from chassis.files.uploads import Receiver
from chassis.moments import Moment
from services.training.facilities import usecases as facilities
from services.training.snapshots import upload_process, upload_usecases
from services.training.snapshots.api import SnapshotBody
from services.training.snapshots.upload_usecases import UploadView
from services.training.transaction import Run

router = APIRouter(tags=["Impor SDP"], route_class=TusRoute)
Resumable = Annotated[
    str | None, Header(alias="Tus-Resumable", description="Versi protokol tus: 1.0.0")
]
STREAM = {
    "requestBody": {
        "required": True,
        "content": {tus.CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SnapshotMetadata(BaseModel):
    """What `Upload-Metadata` says of a list: when its data was taken, and its file type."""

    taken_at: Moment
    filetype: str = ""

    @classmethod
    def of(cls, header: str) -> SnapshotMetadata:
        """Return the metadata of a header. Raises Malformed, RequestValidationError."""
        try:
            return cls.model_validate(tus.parse_metadata(header))
        except ValidationError as error:
            raise RequestValidationError(error.errors()) from None


class SnapshotUploadBody(BaseModel):
    """An upload: how much of the file is stored, and the snapshot once all of it is."""

    upload_id: str
    facility_id: str
    taken_at: datetime
    length: int
    offset: int
    expires_at: datetime
    snapshot: SnapshotBody | None

    @classmethod
    def of(cls, view: UploadView) -> SnapshotUploadBody:
        """Return the body of an upload."""
        upload = view.upload
        return cls(
            upload_id=upload.id,
            facility_id=upload.facility_id,
            taken_at=SnapshotMetadata.of(upload.metadata).taken_at,
            length=upload.length_bytes,
            offset=upload.offset_bytes,
            expires_at=upload.expires_at,
            snapshot=SnapshotBody.of(view.snapshot) if view.snapshot else None,
        )


@router.post(
    "/v1/facilities/{facility_id}/snapshot-uploads",
    status_code=201,
    summary="Mulai unggahan daftar penghuni yang dapat dilanjutkan (tus)",
)
async def begin_snapshot_upload(
    facility_id: str,
    request: Request,
    run: Run,
    response: Response,
    tus_resumable: Resumable = None,
    upload_length: Annotated[
        str | None, Header(alias="Upload-Length", description="Panjang berkas dalam bita")
    ] = None,
    upload_metadata: Annotated[
        str | None,
        Header(
            alias="Upload-Metadata",
            description="taken_at (wajib) dan filetype, masing-masing dalam base64",
        ),
    ] = None,
) -> SnapshotUploadBody:
    """Begin a resumable upload of a snapshot (tus); Location is where its bytes are sent."""
    del tus_resumable, upload_length, upload_metadata  # read below, in scope only
    await run(partial(facilities.read_facility, facility_id))
    creation = tus.read_creation(request)
    taken_at = SnapshotMetadata.of(creation.metadata).taken_at
    keys = request.app.state.file_keys
    command = partial(upload_usecases.begin_upload, facility_id, creation, taken_at, keys)
    upload = await run(command)
    tus.require_same(creation, upload)
    _describe(response, upload)
    response.headers["location"] = f"/v1/snapshot-uploads/{upload.id}"
    return SnapshotUploadBody.of(UploadView(upload, None))


@router.get(
    "/v1/snapshot-uploads/{upload_id}", summary="Lihat sampai mana unggahan daftar penghuni"
)
async def show_snapshot_upload(upload_id: str, run: Run, response: Response) -> SnapshotUploadBody:
    """Show how much of an upload is stored (tus: HEAD), and the snapshot once it is complete."""
    view = await run(partial(upload_usecases.read_upload, upload_id))
    _describe(response, view.upload)
    return SnapshotUploadBody.of(view)


@router.patch(
    "/v1/snapshot-uploads/{upload_id}",
    status_code=204,
    summary="Lanjutkan unggahan daftar penghuni (tus)",
    openapi_extra=STREAM,
)
async def continue_snapshot_upload(
    upload_id: str,
    request: Request,
    run: Run,
    tus_resumable: Resumable = None,
    upload_offset: Annotated[
        str | None, Header(alias="Upload-Offset", description="Posisi bita pertama isi ini")
    ] = None,
) -> Response:
    """Store the next bytes of an upload (tus); the last ones make the snapshot, named by Link."""
    del tus_resumable, upload_offset  # read below, in scope only
    upload = await run(partial(uploads.find_upload, upload_id))
    stated = tus.read_continuation(request)
    metadata = SnapshotMetadata.of(upload.metadata)
    state = request.app.state
    receiver = Receiver(
        upload=upload,
        slots=state.upload_slots,
        stored=Parts(run.engine.db, state.file_keys),
        scanner=state.scanner,
        policy=upload_usecases.POLICY,
        stated_type=metadata.filetype,
        run=run,
    )
    take = partial(upload_process.take, metadata.taken_at, state.sandbox, run)
    response = Response(status_code=204)
    _describe(response, await receiver.receive(stated, request.stream(), take))
    return response


def _describe(response: Response, upload: Upload) -> None:
    tus.set_headers(response, upload)
    if upload.result_id:
        response.headers["link"] = f'</v1/snapshots/{upload.result_id}>; rel="related"'
