"""The body of a report of a roster act, with training's texts of the reasons.

Not here: routes, which are with what the lines change.
"""

from __future__ import annotations

from chassis.http.roster_bodies import ReasonTexts, RosterReportBody
from services.training.roster_reports.rules import RosterReport
from services.training.settings import TEXTS

_REASONS = ReasonTexts(TEXTS, "suitability", "completion", "tasks")


def body_of_report(report: RosterReport) -> RosterReportBody:
    """Return the body of a report."""
    return RosterReportBody.of(report, _REASONS)
