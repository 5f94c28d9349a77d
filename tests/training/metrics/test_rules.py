"""The values of the gauges alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.training.facilities.rules import Facility, FacilityKind
from services.training.metrics import rules

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


FACILITY = Facility(
    id="LP-UJI",
    name="Lapas Uji",
    kind=FacilityKind.LAPAS,
    time_zone="Asia/Makassar",
    live_from=date(2026, 11, 23),
)


def test_snapshot_age_of_a_silent_facility_counts_from_its_first_day() -> None:
    """The first day begins at midnight in Asia/Makassar, 35 hours before."""
    assert rules.measure_snapshot_ages([FACILITY], {}, NOW) == {"LP-UJI": 35 * 3_600}


def test_snapshot_age_counts_from_the_last_contact() -> None:
    seen = {"LP-UJI": NOW - timedelta(hours=2)}
    assert rules.measure_snapshot_ages([FACILITY], seen, NOW) == {"LP-UJI": 7_200}


def test_snapshot_age_ignores_facilities_not_live_yet() -> None:
    later = replace(FACILITY, id="LP-NANTI", live_from=date(2026, 12, 1))
    assert rules.measure_snapshot_ages([later], {}, NOW) == {}


@pytest.mark.parametrize(
    ("days", "expected"),
    [([], {}), ([4], {"0.5": 4, "0.9": 4}), (range(1, 11), {"0.5": 6, "0.9": 10})],
)
def test_waiting_days_are_the_median_and_the_90th_percentile(
    days: list[int], expected: dict[str, float]
) -> None:
    since = [NOW - timedelta(days=number) for number in days]
    assert rules.measure_waiting_days(since, NOW) == expected
