"""The use case of every roster act: apply the good lines, report the others."""

from __future__ import annotations

from collections.abc import Sequence

from chassis import rosters
from chassis.errors import DomainError
from chassis.ids import new_id
from chassis.rosters import LineStep
from services.training.roster_reports.rules import RosterReport
from services.training.transaction import Transaction


async def act_on_lines(
    act: str,
    facility_id: str,
    subject: str,
    keys: Sequence[str],
    step: LineStep,
    tx: Transaction,
    *,
    refuses_all: type[DomainError] | None = None,
) -> RosterReport:
    """Run the step of each line by its index, and store the report. Raises LineRepeated."""
    lines = await rosters.act_on_lines(keys, step, tx, refuses_all=refuses_all, has_queries=True)
    report = RosterReport(
        id=new_id(),
        act=act,
        facility_id=facility_id,
        subject=subject,
        lines=lines,
        made_at=tx.now,
        made_by=tx.caller.subject,
    )
    return tx.roster_reports.add(report)
