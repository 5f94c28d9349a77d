"""The body of a report of a roster act, with training's texts of the reasons.

Not here: routes, which are with what the lines change.
"""

from __future__ import annotations

from chassis.http.roster_bodies import RosterReportBody
from chassis.rosters import LineReason
from services.training.roster_reports.rules import RosterReport
from services.training.settings import TEXTS

_TABLES = ("suitability", "completion", "tasks")


def body_of_report(report: RosterReport) -> RosterReportBody:
    """Return the body of a report."""
    return RosterReportBody.of(report, _text_of)


def _text_of(reason: LineReason) -> str:
    codes = [f"{table}.{reason.code}" for table in _TABLES]
    texts = [TEXTS[code].id for code in codes if code in TEXTS]
    return reason.title or (texts[0] if texts else reason.code)
