"""The keyed job that applies snapshots, one chunk in one transaction.

Each facility has steps of its own: a list that cannot be applied delays no other facility.
"""

from __future__ import annotations

from functools import partial

from chassis import telemetry
from chassis.errors import Busy
from chassis.jobs.keyed_jobs import LeaseLost
from chassis.persistence.field_encryption import FieldUnreadable
from chassis.persistence.mongo import MongoError
from chassis.persistence.transactions import Runner
from services.training.snapshots import chunks
from services.training.transaction import Transaction

log = telemetry.log(__name__)


async def find_facilities(tx: Transaction) -> list[str]:
    """Return the facilities whose snapshots are being applied, the longest waiting first."""
    return await tx.snapshots.list_applying_facilities()


async def apply_next(facility_id: str, run: Runner[Transaction]) -> bool:
    """Apply the next chunk of a facility; True while there is more.

    A chunk that cannot be applied is halved until the faulty row is alone. Raises what failed if
    no chunk is at fault.
    """
    try:
        return await run(partial(chunks.apply_next_chunk, facility_id))
    except (Busy, FieldUnreadable, LeaseLost, MongoError):
        raise
    except Exception as error:
        log.exception("chunk_failed", error=type(error).__name__)
        if not await run(partial(chunks.split_failed_chunk, facility_id)):
            raise
        return True
