"""The store of reports of roster acts."""

from __future__ import annotations

from chassis.persistence.store import Store
from services.certification.roster_reports.rules import ReportUnknown, RosterReport


class RosterReports(Store[RosterReport]):
    """Reports, scoped by the caller's claims `lsp` and `assignment`."""

    kind = RosterReport
    collection = "roster_reports"
    unknown = ReportUnknown
    scope = {"lsp": "lsp_ids", "assignment": "assessor_ids"}
    audited = False
