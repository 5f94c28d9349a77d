"""The stored report of a roster act. Not here: its lines (chassis.rosters)."""

from __future__ import annotations

from dataclasses import dataclass

from chassis import rosters
from chassis.errors import NotFound
from services.certification.settings import TEXTS


class ReportUnknown(NotFound):
    title = TEXTS["errors.report_unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterReport(rosters.RosterReport):
    """The report of a roster act, with the LSPs and the assessors of what its lines name."""

    lsp_ids: tuple[str, ...]
    assessor_ids: tuple[str, ...]
