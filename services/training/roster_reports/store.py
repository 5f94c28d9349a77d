"""The store of reports of roster acts."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.training.roster_reports.rules import ReportUnknown, RosterReport


class RosterReports(Store[RosterReport]):
    kind = RosterReport
    collection = "roster_reports"
    unknown = ReportUnknown
    scope = {"facility": "facility_id"}
    audited = False
