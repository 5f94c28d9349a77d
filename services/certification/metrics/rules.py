"""Rules of the metrics: what of LSPs ends, or is due to be replaced."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.lsps.rules import KeyPurpose, Lsp, newest_key_name, require_key


def licence_left_seconds(lsps: Iterable[Lsp], now: datetime) -> float | None:
    """Return the time until the first LSP loses its last licence; None if none is licensed."""
    ends = [_licensed_until(lsp) for lsp in _licensed(lsps, now)]
    return (min(ends) - now).total_seconds() if ends else None


def signing_key_age_seconds(lsps: Iterable[Lsp], now: datetime) -> float | None:
    """Return the age of the oldest key with which a licensed LSP signs; None without a key."""
    starts = [added_at for lsp in _licensed(lsps, now) for added_at in _signing_since(lsp)]
    return (now - min(starts)).total_seconds() if starts else None


def _licensed(lsps: Iterable[Lsp], now: datetime) -> list[Lsp]:
    return [lsp for lsp in lsps if lsp.licences and now < _licensed_until(lsp)]


def _licensed_until(lsp: Lsp) -> datetime:
    """Return the end of the last day of the last licence."""
    last_day = max(licence.valid_until for licence in lsp.licences)
    return datetime.combine(last_day + timedelta(days=1), time(), WESTERN_INDONESIA)


def _signing_since(lsp: Lsp) -> list[datetime]:
    names = [newest_key_name(lsp, purpose) for purpose in KeyPurpose]
    return [require_key(lsp, name).added_at for name in names if name is not None]
