"""What is decided: who is on duty, whom to tell next of an incident, and what a notice says. Values alone; not here: how anybody is reached, and where incidents are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone

WIB = timezone(timedelta(hours=7), "WIB")
WATCHDOG_SILENT = "WatchdogSilent"
RETRY_AFTER = timedelta(minutes=1)  # after a round in which nobody could be reached
MAX_ATTEMPTS_KEPT = 60  # that are remembered of one incident


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallTurn:
    """From this day on (in Jakarta) these are told, in this order."""

    first_day: date
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCallSchedule:
    """Who is told and when, as data. `people` are addresses by name; `patience` is how long one of a severity has to answer."""

    people: Mapping[str, str]
    turns: tuple[OnCallTurn, ...]
    escalate_after: Mapping[str, timedelta]
    watchdog_timeout: timedelta
    link: str
    mail_server: str = ""
    mail_from: str = ""

    def people_on_call(self, now: datetime) -> tuple[str, ...]:
        """Who is on duty now, the first to be told first."""
        today = now.astimezone(WIB).date()
        return max(
            (turn for turn in self.turns if turn.first_day <= today),
            key=lambda turn: turn.first_day,
        ).order


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationAttempt:
    """One attempt to tell somebody; `reached` says that the notice was handed over."""

    person: str
    at: datetime
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What fires together. `id` cannot be guessed: whoever knows it was told. `alerts` are the summaries of what fires, by fingerprint."""

    id: str
    key: str
    severity: str
    since: datetime
    alerts: Mapping[str, str]
    runbooks: frozenset[str]
    told: tuple[NotificationAttempt, ...] = ()
    taken_by: str = ""
    over: bool = False
    closing: tuple[str, ...] = field(default=())  # who is still to hear that it is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What Alertmanager says of one group: its key, the worst severity, what fires still."""

    key: str
    severity: str
    alerts: Mapping[str, str]
    runbooks: frozenset[str]


def apply_firing(
    current: Incident | None, firing: Firing, now: datetime, new_id: str
) -> Incident | None:
    """The incident after this news. Something new in it opens it again, also when somebody had taken it; nothing left ends it."""
    if current is None or current.over:
        return (
            Incident(
                id=new_id,
                key=firing.key,
                severity=firing.severity,
                since=now,
                alerts=firing.alerts,
                runbooks=firing.runbooks,
            )
            if firing.alerts
            else current
        )
    if not firing.alerts:
        return replace(
            current,
            over=True,
            alerts={},
            closing=tuple(dict.fromkeys(one.person for one in current.told if one.reached)),
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


def acknowledge(incident: Incident, by: str) -> Incident:
    """Somebody has it: nobody else is told. The first who says so stays."""
    return incident if incident.taken_by else replace(incident, taken_by=by)


def choose_person(incident: Incident, schedule: OnCallSchedule, now: datetime) -> str | None:
    """Whom to tell now: at once the first, after the patience of this severity the next, round and round; at once the next where somebody could not be reached.

    After a round in which nobody could be reached it waits a minute.
    """
    if incident.taken_by or incident.over:
        return None
    order = schedule.people_on_call(now)
    if not incident.told:
        return order[0]
    last = incident.told[-1]
    nobody = not any(one.reached for one in incident.told[-len(order) :]) and len(
        incident.told
    ) >= len(order)
    if now - last.at < (
        schedule.escalate_after[incident.severity]
        if last.reached
        else RETRY_AFTER
        if nobody
        else timedelta(0)
    ):
        return None
    return order[(order.index(last.person) + 1) % len(order)] if last.person in order else order[0]


def record_attempt(current: Incident, notified: Incident, attempt: NotificationAttempt) -> Incident:
    """Somebody was told `of` an incident, or could not be; `now` is what became of it meanwhile. What he was not told of counts as told to nobody."""
    if current.id != notified.id or not current.alerts.keys() <= notified.alerts.keys():
        return current
    return replace(current, told=(*current.told, attempt)[-MAX_ATTEMPTS_KEPT:])


def is_watchdog_silent(last_heard_at: datetime, schedule: OnCallSchedule, now: datetime) -> bool:
    """Whether nothing was heard of the watch for too long."""
    return now - last_heard_at > schedule.watchdog_timeout


def watchdog_firing(last_heard_at: datetime) -> Firing:
    """The incident that the watch itself has fallen silent."""
    words = f"Pengawasan diam sejak {last_heard_at.astimezone(WIB):%H:%M} WIB: Prometheus atau Alertmanager tidak bekerja\nThe watch is silent: Prometheus or Alertmanager does not work"
    return Firing(
        key=WATCHDOG_SILENT,
        severity="page",
        alerts={WATCHDOG_SILENT: words},
        runbooks=frozenset({"docs/runbooks/Watchdog.md"}),
    )


def write_notice(incident: Incident, schedule: OnCallSchedule) -> tuple[str, str]:
    """Subject and text for a person."""
    if incident.over:
        return (
            "[Bina] selesai / resolved",
            "Sudah selesai, tidak ada yang perlu dikerjakan.\nIt is over, nothing is left to do.",
        )
    words: Sequence[str] = [*sorted(incident.alerts.values()), "", *sorted(incident.runbooks)]
    subject = f"[Bina {incident.severity}] {words[0].partition(chr(10))[0]}"
    answer = f"Saya tangani / I have it: {schedule.link}/notices/{incident.id}"
    return subject, "\n".join(
        [*words, "", f"Sejak / since {incident.since.astimezone(WIB):%Y-%m-%d %H:%M} WIB", answer]
    )
