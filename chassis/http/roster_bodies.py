"""The bodies of a report of a roster act. Not here: routes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel

from chassis.rosters import LineOutcome, LineReason, RosterLine, RosterReport

TextOf = Callable[[LineReason], str]


def text_of_reason(reason: LineReason) -> str:
    """Return the title of a reason, else its code."""
    return reason.title or reason.code


class LineReasonBody(BaseModel):
    """One reason against a line; `field` names what to correct."""

    code: str
    text: str
    field: str | None

    @classmethod
    def of(cls, reason: LineReason, text_of: TextOf = text_of_reason) -> LineReasonBody:
        """Return the body of a reason, with its text."""
        return cls(code=reason.code, text=text_of(reason), field=reason.field or None)


class RosterLineBody(BaseModel):
    """What became of one line; `key` is what the line names: a person or a record of one."""

    key: str
    outcome: LineOutcome
    result_id: str | None
    version: int | None
    reasons: list[LineReasonBody]

    @classmethod
    def of(cls, line: RosterLine, text_of: TextOf = text_of_reason) -> RosterLineBody:
        """Return the body of a line."""
        return cls(
            key=line.key,
            outcome=line.outcome,
            result_id=line.result_id or None,
            version=line.version or None,
            reasons=[LineReasonBody.of(reason, text_of) for reason in line.reasons],
        )


class RosterReportBody(BaseModel):
    """The outcome of each line, in the order of the request, and their counts."""

    report_id: str
    act: str
    made_at: datetime
    counts: dict[LineOutcome, int]
    lines: list[RosterLineBody]

    @classmethod
    def of(cls, report: RosterReport, text_of: TextOf = text_of_reason) -> RosterReportBody:
        """Return the body of a report."""
        return cls(
            report_id=report.id,
            act=report.act,
            made_at=report.made_at,
            counts={LineOutcome(name): number for name, number in report.counts.items()},
            lines=[RosterLineBody.of(line, text_of) for line in report.lines],
        )
