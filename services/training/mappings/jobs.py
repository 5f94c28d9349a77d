"""The job that reports which facilities have an unusable mapping in the mapping file."""

from __future__ import annotations

from chassis.persistence.transactions import Runner
from services.training.mappings import usecases
from services.training.transaction import Transaction


async def report_broken(run: Runner[Transaction]) -> bool:
    """Open and resolve the tasks of unusable mappings once."""
    await run(usecases.report_broken_mappings)
    return False
