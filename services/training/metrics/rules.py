"""Rules that compute the values of the gauges. Not here: reading data or setting gauges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.training.facilities.rules import Facility

_SECONDS_A_DAY = 86_400
_SHARES = {"0.5": 0.5, "0.9": 0.9}


def measure_snapshot_ages(
    live: Iterable[Facility], seen: Mapping[str, datetime], now: datetime
) -> dict[str, float]:
    """Return the seconds since each facility last sent its snapshot.

    A facility that has sent none counts from its first day; before that day it has no age.
    """
    first_days = {
        facility.id: facility.local_moment(facility.live_from, "00:00")
        for facility in live
        if facility.live_from is not None
    }
    since = first_days | dict(seen)
    return {
        facility_id: (now - moment).total_seconds()
        for facility_id, moment in since.items()
        if moment <= now
    }


def measure_waiting_days(since: Iterable[datetime], now: datetime) -> dict[str, float]:
    """Return the median and the 90th percentile of the days waited; empty when nobody waits."""
    days = sorted((now - moment).total_seconds() / _SECONDS_A_DAY for moment in since)
    if not days:
        return {}
    last = len(days) - 1
    return {name: days[min(last, int(share * len(days)))] for name, share in _SHARES.items()}
