"""The body of a report of a roster act.

Not here: routes, which are with what the lines change.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from services.training.roster_reports.rules import LineOutcome, LineReason, RosterReport
from services.training.settings import TEXTS

_TABLES = ("suitability", "completion", "tasks")


class LineReasonBody(BaseModel):
    """One reason against a line; `field` names what to correct."""

    code: str
    text: str
    field: str | None

    @classmethod
    def of(cls, reason: LineReason) -> LineReasonBody:
        """Return the body of a reason, with its text."""
        codes = [f"{table}.{reason.code}" for table in _TABLES]
        texts = [TEXTS[code].id for code in codes if code in TEXTS]
        text = reason.title or (texts[0] if texts else reason.code)
        return cls(code=reason.code, text=text, field=reason.field or None)


class RosterLineBody(BaseModel):
    """What became of one line; `key` is the person or enrolment that the line names."""

    key: str
    outcome: LineOutcome
    result_id: str | None
    version: int | None
    reasons: list[LineReasonBody]


class RosterReportBody(BaseModel):
    """The outcome of each line, in the order of the request, and their counts."""

    report_id: str
    act: str
    made_at: datetime
    counts: dict[LineOutcome, int]
    lines: list[RosterLineBody]

    @classmethod
    def of(cls, report: RosterReport) -> RosterReportBody:
        """Return the body of a report."""
        lines = [
            RosterLineBody(
                key=line.key,
                outcome=line.outcome,
                result_id=line.result_id or None,
                version=line.version or None,
                reasons=[LineReasonBody.of(reason) for reason in line.reasons],
            )
            for line in report.lines
        ]
        counts = {LineOutcome(name): number for name, number in report.counts.items()}
        return cls(
            report_id=report.id,
            act=report.act,
            made_at=report.made_at,
            counts=counts,
            lines=lines,
        )
