"""The bodies of a report of a roster act. Not here: routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel

from chassis.rosters import LineOutcome, LineReason, RosterLine, RosterReport
from chassis.texts import Text


class ReasonTexts:
    """The texts of the reasons of a service: of its errors, and of its own tables of reasons."""

    def __init__(self, texts: Mapping[str, Text], *tables: str) -> None:
        self._texts = texts
        self._tables: Sequence[str] = (*tables, "errors")

    def __getitem__(self, reason: LineReason) -> str:
        """Return the text of the code, else the stored title, else the code."""
        for table in self._tables:
            text = self._texts.get(f"{table}.{reason.code}")
            if text is not None:
                return text.localised
        return reason.title or reason.code


class LineReasonBody(BaseModel):
    """One reason against a line; `field` names what to correct."""

    code: str
    text: str
    field: str | None

    @classmethod
    def of(cls, reason: LineReason, texts: ReasonTexts) -> LineReasonBody:
        """Return the body of a reason, with its text."""
        return cls(code=reason.code, text=texts[reason], field=reason.field or None)


class RosterLineBody(BaseModel):
    """What became of one line; `key` is what the line names: a person or a record of one."""

    key: str
    outcome: LineOutcome
    result_id: str | None
    version: int | None
    reasons: list[LineReasonBody]

    @classmethod
    def of(cls, line: RosterLine, texts: ReasonTexts) -> RosterLineBody:
        """Return the body of a line."""
        return cls(
            key=line.key,
            outcome=line.outcome,
            result_id=line.result_id or None,
            version=line.version or None,
            reasons=[LineReasonBody.of(reason, texts) for reason in line.reasons],
        )


class RosterReportBody(BaseModel):
    """The outcome of each line, in the order of the request, and their counts."""

    report_id: str
    act: str
    made_at: datetime
    counts: dict[LineOutcome, int]
    lines: list[RosterLineBody]

    @classmethod
    def of(cls, report: RosterReport, texts: ReasonTexts) -> RosterReportBody:
        """Return the body of a report."""
        return cls(
            report_id=report.id,
            act=report.act,
            made_at=report.made_at,
            counts={LineOutcome(name): number for name, number in report.counts.items()},
            lines=[RosterLineBody.of(line, texts) for line in report.lines],
        )
