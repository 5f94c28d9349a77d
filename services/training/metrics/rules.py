"""What is allowed: nothing here; what the figures are, from values alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.training.facilities.rules import Facility

_QUANTILES = {"0.5": 0.5, "0.9": 0.9}


def measure_snapshot_ages(
    live: Iterable[Facility], seen: Mapping[str, datetime], now: datetime
) -> dict[str, float]:
    """Seconds since each facility last sent its list; one that is live and has sent none counts from its first day. What is not live yet has no age."""
    since = {
        facility.id: facility.local_moment(facility.live_from, "00:00")
        for facility in live
        if facility.live_from is not None
    } | dict(seen)
    return {
        facility_id: (now - moment).total_seconds()
        for facility_id, moment in since.items()
        if moment <= now
    }


def measure_waiting_days(since: Iterable[datetime], now: datetime) -> dict[str, float]:
    """Days that those who wait have waited: the median and what nine of ten stay below; nothing when nobody waits."""
    days = sorted((now - moment).total_seconds() / 86_400 for moment in since)
    return (
        {
            name: days[min(len(days) - 1, int(share * len(days)))]
            for name, share in _QUANTILES.items()
        }
        if days
        else {}
    )
