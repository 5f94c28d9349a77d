"""The upload of a snapshot file: plan it, read the file in the sandbox, then receive it.

The sandbox runs between two transactions, because a transaction makes no remote call.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial

from chassis.files import sandbox
from chassis.files.sandbox import FileUnreadable, SandboxLimits
from services.training.mappings.reader import Layout, ParsedFile
from services.training.snapshots import usecases
from services.training.snapshots.usecases import ReceivedSnapshot, Upload
from services.training.transaction import Run

SANDBOX_LIMITS = SandboxLimits(seconds=20, memory_mib=512)


async def upload(facility_id: str, taken_at: datetime, data: bytes, run: Run) -> ReceivedSnapshot:
    """Receive the bytes of a file; known bytes are not read again."""
    checksum = hashlib.sha256(data).hexdigest()
    file = Upload(facility_id=facility_id, taken_at=taken_at, checksum=checksum)
    plan = await run(partial(usecases.plan_upload, file))
    parsed = None if plan.is_known else await _parse(data, plan.mapping.layout)
    command = partial(usecases.receive_snapshot, file, parsed)
    return await run(command, view=usecases.view_received_snapshot)


async def _parse(data: bytes, layout: Layout) -> ParsedFile | None:
    """Return the file's cells, read in a child process; None when it is unreadable."""
    try:
        return await sandbox.call(
            "services.training.mappings.reader", "read", data, layout, limits=SANDBOX_LIMITS
        )
    except FileUnreadable:
        return None
