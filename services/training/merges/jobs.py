"""The job that merges records which share a NIK and a birth date, after the day's imports."""

from __future__ import annotations

from chassis.persistence.transactions import Runner
from services.training.merges import usecases
from services.training.transaction import Transaction


async def merge_same_niks(run: Runner[Transaction]) -> bool:
    """Merge the next pair of an earlier day; True when there may be more."""
    return await run(usecases.merge_next_candidate)
