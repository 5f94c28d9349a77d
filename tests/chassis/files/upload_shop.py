"""Uploads without a service: a transaction, one caller, and a file that is only remembered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import partial
from typing import Any

from chassis.caller import Caller
from chassis.files import uploads
from chassis.files.encryption import FileKeys
from chassis.files.media_types import SHEETS
from chassis.files.parts import Parts
from chassis.files.tus import Continuation, Creation
from chassis.files.upload_rules import Upload
from chassis.files.upload_store import UploadTransaction
from chassis.files.uploads import CompleteFile, FilePolicy, Receiver, UploadSlots
from chassis.files.virus_scanner import VirusScanner
from chassis.ids import new_id
from chassis.persistence.field_encryption import KeyRing
from chassis.persistence.mongo import Document, Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext

FACILITY = "LP-TJP"
MAX_BYTES = 8 * 1024 * 1024
POLICY = FilePolicy(max_bytes=MAX_BYTES, accepted=SHEETS)
KEYS = FileKeys(KeyRing("master_key", bytes([1]) * 32))
OFFICER = Caller(
    subject="user-registrar", role="officer", claims={"facility": frozenset({FACILITY})}
)


class Shop:
    """Uploads in one database, and the files that were taken."""

    def __init__(self, db: Mongo) -> None:
        self.db = db
        self.engine = TransactionManager(db, UploadTransaction)
        self.scanner = VirusScanner("")
        self.slots = UploadSlots(2)
        self.taken: dict[str, bytes] = {}

    @property
    def run(self) -> Runner[UploadTransaction]:
        return Runner(self.engine, OperationContext(caller=OFFICER, correlation_id=new_id()))

    def at(self, time: datetime) -> None:
        """Let the clock of all later transactions show this time."""
        self.engine.clock = lambda: time

    async def begin(self, length: int) -> Upload:
        command = partial(uploads.begin, FACILITY, Creation(length, ""), KEYS, POLICY)
        return await self.run(command)

    async def find(self, upload: Upload) -> Upload:
        return await self.run(partial(uploads.find_upload, upload.id))

    async def send(self, upload: Upload, offset: int, *pieces: bytes, stated: str = "") -> Upload:
        """Send pieces as the body of one request; return the upload after it."""
        return await self.send_stream(upload, offset, _stream(pieces), stated=stated)

    async def send_stream(
        self, upload: Upload, offset: int, body: AsyncGenerator[bytes], *, stated: str = ""
    ) -> Upload:
        receiver = Receiver(
            upload=await self.find(upload),
            slots=self.slots,
            stored=Parts(self.db, KEYS),
            scanner=self.scanner,
            policy=POLICY,
            stated_type=stated,
            run=self.run,
        )
        return await receiver.receive(Continuation(offset, 0), body, self._take)

    async def parts_of(self, upload: Upload) -> list[Document]:
        """Return the chunks of GridFS that hold parts of this upload."""
        chunks = await self.db.find("files.chunks", {}, sort=[("files_id", 1)])
        return [chunk for chunk in chunks if chunk["files_id"].startswith(f"{upload.id}/")]

    async def row(self, upload: Upload) -> Document | None:
        return await self.db.find_one("uploads", {"_id": upload.id})

    async def _take(self, file: CompleteFile) -> None:
        self.taken[file.upload.id] = b"".join([part async for part in file.read()])
        await self.run(partial(uploads.complete, file, f"result-{file.upload.id}"))


async def _stream(pieces: Any) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece
