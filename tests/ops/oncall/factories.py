"""A schedule with three people and two turns, and a firing alert. Not here: tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from ops.oncall.rules import Firing, OnCallSchedule, OnCallTurn

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SCHEDULE = OnCallSchedule(
    people={"satu": "https://satu", "dua": "https://dua", "kepala": "https://kepala"},
    turns=(
        OnCallTurn(first_day=date(2026, 11, 16), order=("dua", "satu", "kepala")),
        OnCallTurn(first_day=date(2026, 11, 23), order=("satu", "dua", "kepala")),
    ),
    escalate_after={"page": timedelta(minutes=15), "ticket": timedelta(days=1)},
    watchdog_timeout=timedelta(minutes=5),
    link="https://piket.example",
)
PAGE = Firing(
    key="group",
    severity="page",
    alerts={"f1": "training tidak menjawab\ntraining does not answer"},
    runbooks=frozenset({"docs/runbooks/ProcessDown.md"}),
)
