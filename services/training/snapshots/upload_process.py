"""The upload of a snapshot file: plan it, read the file in the sandbox, then receive it.

The file comes in one request, or complete from a resumable upload. Scanner and sandbox run between
two transactions, because a transaction makes no remote call.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from chassis.files.sandbox import FileTooLarge, FileUnreadable, Sandbox, SandboxLimits
from chassis.files.uploads import CompleteFile
from chassis.files.virus_scanner import VirusScanner
from services.training.mappings.parsed_file import Layout, ParsedFile
from services.training.snapshots import upload_usecases, usecases
from services.training.snapshots.rules import Guard, Snapshot
from services.training.snapshots.usecases import ReceivedSnapshot, Upload
from services.training.transaction import Run, Transaction

READER = "services.training.mappings.reader"
# 372 MiB were measured with the rows of a list of 49,000 people; its transaction and the bytes of
# FILES files, and five parts of each of UPLOADS uploads, come on top
PARENT_MIB = 640
CHILD_MIB = 256
CHILDREN = 1
FILES = 4
UPLOADS = 16


def create_sandbox() -> Sandbox:
    """Return the sandbox of snapshot files: one is parsed at once."""
    limits = SandboxLimits(children=CHILDREN, files=FILES, memory_mib=CHILD_MIB)
    return Sandbox(limits, modules=(READER,))


Receive = Callable[[Upload, ParsedFile | Guard | None, Transaction], Awaitable[Snapshot]]


async def upload(
    facility_id: str,
    taken_at: datetime,
    data: bytes,
    sandbox: Sandbox,
    scanner: VirusScanner,
    run: Run,
) -> ReceivedSnapshot:
    """Receive the bytes of a file. Raises FileInfected, ScannerUnavailable."""
    await scanner.scan_bytes(data)
    checksum = hashlib.sha256(data).hexdigest()
    file = Upload(facility_id=facility_id, taken_at=taken_at, checksum=checksum)
    return await _receive(file, data, sandbox, run, usecases.receive_snapshot)


async def take(taken_at: datetime, sandbox: Sandbox, run: Run, complete: CompleteFile) -> None:
    """Receive the file of a resumable upload, which was scanned. Raises Busy."""
    with sandbox.file():
        content = io.BytesIO()
        async for part in complete.read():
            content.write(part)
        file = Upload(
            facility_id=complete.upload.facility_id,
            taken_at=taken_at,
            checksum=complete.facts.sha256,
        )
        receive = partial(upload_usecases.receive_uploaded, complete)
        await _receive(file, content.getvalue(), sandbox, run, receive)


async def _receive(
    file: Upload, data: bytes, sandbox: Sandbox, run: Run, receive: Receive
) -> ReceivedSnapshot:
    """Read the file and receive it; the bytes of the last accepted list are not read again."""
    plan = await run(partial(usecases.plan_upload, file))
    if plan.is_known:
        command = partial(receive, file, None)
        return await run(command, view=usecases.view_received_snapshot)
    # the rows of a big list need as much memory as reading it, so both are one turn
    async with sandbox.turn():
        parsed = await _parse(data, plan.mapping.layout, sandbox)
        command = partial(receive, file, parsed)
        return await run(command, view=usecases.view_received_snapshot)


async def _parse(data: bytes, layout: Layout, sandbox: Sandbox) -> ParsedFile | Guard:
    """Return the file's cells, read in a child process, or the guard of a file without cells."""
    try:
        return ParsedFile.of(await sandbox.parse(READER, "read", data, layout))
    except FileTooLarge:
        return Guard.TOO_LARGE
    except FileUnreadable:
        return Guard.UNREADABLE
