"""Rules of on-call: who is on duty, whom to notify next, and what a notice says.

Pure functions over values. Not here: delivery (notifier) and storage (incident_store).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone

WIB = timezone(timedelta(hours=7), "WIB")
WATCHDOG_SILENT = "WatchdogSilent"
# Pause after a round in which nobody could be reached.
RETRY_AFTER = timedelta(minutes=1)
# Attempts remembered of one incident.
MAX_ATTEMPTS_KEPT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallTurn:
    """From this day on (Jakarta time) these people are notified, in this order."""

    first_day: date
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallSchedule:
    """Who is notified and when.

    `people` are addresses by name; `escalate_after` is the time to answer, by severity.
    """

    people: Mapping[str, str]
    turns: tuple[OnCallTurn, ...]
    escalate_after: Mapping[str, timedelta]
    watchdog_timeout: timedelta
    link: str
    mail_server: str = ""
    mail_from: str = ""

    def people_on_call(self, now: datetime) -> tuple[str, ...]:
        """Return who is on duty now, in the order of notification."""
        today = now.astimezone(WIB).date()
        begun = [turn for turn in self.turns if turn.first_day <= today]
        return max(begun, key=lambda turn: turn.first_day).order


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAttempt:
    """One attempt to notify somebody; `reached`: the notice was delivered."""

    person: str
    at: datetime
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts that fire together.

    `id` cannot be guessed: it is the address of the notice. `alerts` are texts by fingerprint,
    `told` the attempts so far, `closing` the people who are still to learn that it is over.
    """

    id: str
    key: str
    severity: str
    since: datetime
    alerts: Mapping[str, str]
    runbooks: frozenset[str]
    told: tuple[NotificationAttempt, ...] = ()
    taken_by: str = ""
    over: bool = False
    closing: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What Alertmanager posts of one group: its key, the worst severity, the firing alerts."""

    key: str
    severity: str
    alerts: Mapping[str, str]
    runbooks: frozenset[str]


def apply_firing(
    current: Incident | None, firing: Firing, now: datetime, new_id: str
) -> Incident | None:
    """Return the incident after this post.

    A new alert opens it again, also when somebody had acknowledged it; no alert left ends it.
    """
    if current is None or current.over:
        return _open_incident(firing, now, new_id) if firing.alerts else current
    if not firing.alerts:
        return replace(
            current,
            over=True,
            alerts={},
            closing=tuple(dict.fromkeys(tried.person for tried in current.told if tried.reached)),
        )
    if firing.alerts.keys() <= current.alerts.keys():
        return replace(current, alerts=firing.alerts)
    return replace(
        current,
        alerts=firing.alerts,
        severity=firing.severity,
        runbooks=current.runbooks | firing.runbooks,
        told=(),
        taken_by="",
    )


def _open_incident(firing: Firing, now: datetime, new_id: str) -> Incident:
    return Incident(
        id=new_id,
        key=firing.key,
        severity=firing.severity,
        since=now,
        alerts=firing.alerts,
        runbooks=firing.runbooks,
    )


def acknowledge(incident: Incident, by: str) -> Incident:
    """Record who handles it; nobody else is notified. The first acknowledgement counts."""
    return incident if incident.taken_by else replace(incident, taken_by=by)


def choose_person(incident: Incident, schedule: OnCallSchedule, now: datetime) -> str | None:
    """Return whom to notify now, or None.

    The first person at once; the next after `escalate_after` of this severity, or at once when
    the last could not be reached. After a round that reached nobody it waits RETRY_AFTER.
    """
    if incident.taken_by or incident.over:
        return None
    order = schedule.people_on_call(now)
    if not incident.told:
        return order[0]
    last = incident.told[-1]
    if now - last.at < _pause_after(incident, schedule, round_size=len(order)):
        return None
    if last.person not in order:
        return order[0]
    return order[(order.index(last.person) + 1) % len(order)]


def _pause_after(incident: Incident, schedule: OnCallSchedule, *, round_size: int) -> timedelta:
    """Return how long to wait after the last attempt of an incident."""
    if incident.told[-1].reached:
        return schedule.escalate_after[incident.severity]
    last_round = incident.told[-round_size:]
    has_reached_somebody = any(attempt.reached for attempt in last_round)
    if len(last_round) == round_size and not has_reached_somebody:
        return RETRY_AFTER
    return timedelta(0)


def record_attempt(current: Incident, notified: Incident, attempt: NotificationAttempt) -> Incident:
    """Return the current incident with this attempt.

    `notified` is the incident as the notice described it. An attempt that lacked a newer alert
    does not count: nobody knows of that alert yet.
    """
    if current.id != notified.id or not current.alerts.keys() <= notified.alerts.keys():
        return current
    return replace(current, told=(*current.told, attempt)[-MAX_ATTEMPTS_KEPT:])


def is_watchdog_silent(last_heard_at: datetime, schedule: OnCallSchedule, now: datetime) -> bool:
    """Return whether the watchdog alert has not arrived for too long."""
    return now - last_heard_at > schedule.watchdog_timeout


def watchdog_firing(last_heard_at: datetime) -> Firing:
    """Return the incident that Prometheus or Alertmanager itself is silent."""
    since = f"{last_heard_at.astimezone(WIB):%H:%M} WIB"
    text = (
        f"Pengawasan diam sejak {since}: Prometheus atau Alertmanager tidak bekerja\n"
        "The watch is silent: Prometheus or Alertmanager does not work"
    )
    return Firing(
        key=WATCHDOG_SILENT,
        severity="page",
        alerts={WATCHDOG_SILENT: text},
        runbooks=frozenset({"docs/runbooks/Watchdog.md"}),
    )


def write_notice(incident: Incident, schedule: OnCallSchedule) -> tuple[str, str]:
    """Return subject and text of a notice."""
    if incident.over:
        return (
            "[Bina] selesai / resolved",
            "Sudah selesai, tidak ada yang perlu dikerjakan.\nIt is over, nothing is left to do.",
        )
    lines: Sequence[str] = [*sorted(incident.alerts.values()), "", *sorted(incident.runbooks)]
    subject = f"[Bina {incident.severity}] {lines[0].partition(chr(10))[0]}"
    answer = f"Saya tangani / I have it: {schedule.link}/notices/{incident.id}"
    return subject, "\n".join(
        [*lines, "", f"Sejak / since {incident.since.astimezone(WIB):%Y-%m-%d %H:%M} WIB", answer]
    )
