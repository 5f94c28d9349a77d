"""The leased job that applies snapshots, one chunk in one transaction."""

from __future__ import annotations

from chassis import telemetry
from chassis.errors import Busy
from chassis.persistence.mongo import MongoError
from chassis.persistence.transactions import Runner
from services.training.snapshots import chunks
from services.training.transaction import Transaction

log = telemetry.log(__name__)


async def apply_next(run: Runner[Transaction]) -> bool:
    """Apply the next chunk; True while there is more.

    A chunk that cannot be applied is halved until the faulty row is alone.
    """
    try:
        return await run(chunks.apply_next_chunk)
    except (Busy, MongoError):
        raise
    except Exception as error:
        log.exception("chunk_failed", error=type(error).__name__)
        return await run(chunks.split_failed_chunk)
