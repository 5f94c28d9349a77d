"""Rules of on-call: who is on duty, whom to notify next, and the text of a notice.

Pure functions. Not here: delivery (notifier) and storage (incident_store).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone

WIB = timezone(timedelta(hours=7), "WIB")
WATCHDOG_SILENT = "WatchdogSilent"
# Pause after a round in which no notice could be delivered.
RETRY_AFTER = timedelta(minutes=1)
# Attempts stored of one incident.
MAX_ATTEMPTS_KEPT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallTurn:
    """The people on call from a day on (Jakarta time), in the order of notification."""

    first_day: date
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallSchedule:
    """The content of the schedule file.

    `people` has addresses by name; `escalate_after` the time to acknowledge, by severity.
    """

    people: Mapping[str, str]
    turns: tuple[OnCallTurn, ...]
    escalate_after: Mapping[str, timedelta]
    watchdog_timeout: timedelta
    link: str
    mail_server: str = ""
    mail_from: str = ""

    def people_on_call(self, now: datetime) -> tuple[str, ...]:
        """Return the people on call now, in the order of notification."""
        today = now.astimezone(WIB).date()
        begun = [turn for turn in self.turns if turn.first_day <= today]
        return max(begun, key=lambda turn: turn.first_day).order


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAttempt:
    """One attempt to notify a person; `reached` means that the notice was delivered."""

    person: str
    at: datetime
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The alerts of one group, from the first until none fires.

    `id` is the address of the notice and cannot be guessed. `alerts` has texts by fingerprint,
    `told` the attempts so far, `closing` the people to notify of the end.
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
    """A group as Alertmanager posts it: its key, the worst severity, the firing alerts."""

    key: str
    severity: str
    alerts: Mapping[str, str]
    runbooks: frozenset[str]


def apply_firing(
    current: Incident | None, firing: Firing, now: datetime, new_id: str
) -> Incident | None:
    """Return the incident after this post.

    A new alert restarts the notification, even after an acknowledgement. Without firing alerts
    the incident is over.
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
    """Record who handles the incident, which ends the notification. The first one counts."""
    return incident if incident.taken_by else replace(incident, taken_by=by)


def choose_person(incident: Incident, schedule: OnCallSchedule, now: datetime) -> str | None:
    """Return whom to notify now, or None.

    The first person is notified at once. The next one follows after `escalate_after` of this
    severity, or at once if the last notice was not delivered. A round without any delivery is
    followed by a pause of RETRY_AFTER.
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
    """Return the pause after the last attempt of an incident."""
    if incident.told[-1].reached:
        return schedule.escalate_after[incident.severity]
    last_round = incident.told[-round_size:]
    has_reached_somebody = any(attempt.reached for attempt in last_round)
    if len(last_round) == round_size and not has_reached_somebody:
        return RETRY_AFTER
    return timedelta(0)


def record_attempt(current: Incident, notified: Incident, attempt: NotificationAttempt) -> Incident:
    """Return the current incident with this attempt.

    `notified` is the incident as the notice described it. The attempt does not count if an alert
    was added after that, because the person has not read of it.
    """
    if current.id != notified.id or not current.alerts.keys() <= notified.alerts.keys():
        return current
    return replace(current, told=(*current.told, attempt)[-MAX_ATTEMPTS_KEPT:])


def is_watchdog_silent(last_heard_at: datetime, schedule: OnCallSchedule, now: datetime) -> bool:
    """Return whether the watchdog alert last arrived more than `watchdog_timeout` ago."""
    return now - last_heard_at > schedule.watchdog_timeout


def watchdog_firing(last_heard_at: datetime) -> Firing:
    """Return a firing group for a watchdog alert that no longer arrives."""
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
