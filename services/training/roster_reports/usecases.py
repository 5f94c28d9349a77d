"""The use case of every roster act: apply the good lines, report the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from chassis.errors import DomainError
from chassis.ids import new_id
from services.training.roster_reports import rules
from services.training.roster_reports.rules import RosterLine, RosterReport
from services.training.transaction import Transaction

Step = Callable[[int], Awaitable[RosterLine]]


async def act_on_lines(
    act: str,
    facility_id: str,
    subject: str,
    keys: Sequence[str],
    step: Step,
    tx: Transaction,
    *,
    refuses_all: type[DomainError] | None = None,
) -> RosterReport:
    """Run the step of each line by its index; a refused line leaves nothing behind.

    An error of the kind `refuses_all` refuses the whole act. Raises LineRepeated.
    """
    rules.require_distinct(keys)
    lines: list[RosterLine] = []
    for index, key in enumerate(keys):
        # the lines before are written first: queries of this line must not flush them
        await tx.flush()
        savepoint = tx.savepoint()
        try:
            lines.append(await step(index))
        except DomainError as error:
            is_for_all = refuses_all is not None and isinstance(error, refuses_all)
            if is_for_all or not tx.rollback(savepoint):
                raise
            lines.append(rules.refused(key, error))
    report = RosterReport(
        id=new_id(),
        act=act,
        facility_id=facility_id,
        subject=subject,
        lines=tuple(lines),
        made_at=tx.now,
        made_by=tx.caller.subject,
    )
    return tx.roster_reports.add(report)
