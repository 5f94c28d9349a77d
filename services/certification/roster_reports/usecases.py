"""The use case of every roster act: apply the good lines, report the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chassis import rosters
from chassis.ids import new_id
from chassis.rosters import LineStep
from services.certification.roster_reports.rules import RosterReport
from services.certification.transaction import Transaction


async def act_on_lines(
    act: str,
    lsp_ids: Iterable[str],
    assessor_ids: Iterable[str],
    keys: Sequence[str],
    step: LineStep,
    tx: Transaction,
) -> RosterReport:
    """Run the step of each line by its index, and store the report. Raises LineRepeated."""
    report = RosterReport(
        id=new_id(),
        act=act,
        lsp_ids=tuple(sorted(set(lsp_ids))),
        assessor_ids=tuple(sorted(set(assessor_ids))),
        lines=await rosters.act_on_lines(keys, step, tx),
        made_at=tx.now,
        made_by=tx.caller.subject,
    )
    # a list of unknown applications has a report too, which lies in no scope
    return tx.roster_reports.add(report, scoped=False)
