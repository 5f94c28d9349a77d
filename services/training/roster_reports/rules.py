"""The stored report of a roster act of one facility. Not here: its lines (chassis.rosters)."""

from __future__ import annotations

from dataclasses import dataclass

from chassis import rosters
from chassis.errors import NotFound
from services.training.settings import TEXTS


class ReportUnknown(NotFound):
    title = TEXTS["errors.report_unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterReport(rosters.RosterReport):
    """The report of a roster act; `subject` is the class or session that it is about."""

    facility_id: str
    subject: str
