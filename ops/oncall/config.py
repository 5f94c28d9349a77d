"""What comes from outside, read: the oncall's own file, and what Alertmanager posts. Not here: what follows from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

from ops.errors import OperatorError
from ops.oncall.rules import Firing, OnCallSchedule, OnCallTurn

SEVERITIES = ("ticket", "page")  # the worse one last


def read_schedule(file: Path) -> OnCallSchedule:
    """The oncall of a file; OperatorError names what is wrong in it."""
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    people: dict[str, str] = content["people"]
    turns = tuple(
        OnCallTurn(first_day=turn["from"], order=tuple(turn["order"])) for turn in content["turn"]
    )
    wrong = [
        f"{name}: {address}"
        for name, address in people.items()
        if not address.startswith(("mailto:", "http://", "https://"))
    ]
    wrong += [
        f"turn {turn.first_day}: {name}"
        for turn in turns
        for name in turn.order
        if name not in people
    ]
    wrong += [
        f"escalate_minutes: {severity}"
        for severity in SEVERITIES
        if not content["escalate_minutes"].get(severity, 0) > 0
    ]
    if (
        not turns
        or min(turn.first_day for turn in turns) > date.today()  # noqa: DTZ011 - a day, wherever this runs
        or not all(turn.order for turn in turns)
    ):
        wrong.append("turn")
    if wrong:
        raise OperatorError(
            f"{file}: isi ini tidak dapat dipakai: {', '.join(wrong)}",
            f"{file}: this cannot be used: {', '.join(wrong)}",
        )
    return OnCallSchedule(
        people=people,
        turns=turns,
        escalate_after={
            severity: timedelta(minutes=content["escalate_minutes"][severity])
            for severity in SEVERITIES
        },
        watchdog_timeout=timedelta(minutes=content["watchdog_minutes"]),
        link=content["link"].rstrip("/"),
        mail_server=content.get("mail_server", ""),
        mail_from=content.get("mail_from", ""),
    )


def parse_firing(posted: Mapping[str, Any]) -> Firing:
    """A group of Alertmanager's webhook (version 4). KeyError, TypeError or ValueError when it is none.

    A rule that is not ours may have no words and another severity; it is told all the same, and wakes somebody.
    """
    alerts = [
        one for one in cast("list[dict[str, Any]]", posted["alerts"]) if one["status"] == "firing"
    ]
    severities = [
        SEVERITIES.index(said)
        if (said := one["labels"].get("severity")) in SEVERITIES
        else len(SEVERITIES) - 1
        for one in alerts
    ]
    return Firing(
        key=str(posted["groupKey"]),
        severity=SEVERITIES[max(severities, default=0)],
        alerts={
            str(one["fingerprint"]): _describe_alert(one["labels"], one.get("annotations") or {})
            for one in alerts
        },
        runbooks=frozenset(
            str(one["annotations"]["runbook"])
            for one in alerts
            if "runbook" in (one.get("annotations") or {})
        ),
    )


def _describe_alert(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """What is told of one alert, its region first: one oncall may serve several."""
    words = (
        "\n".join(
            said for name in ("summary", "meaning", "summary_en") if (said := annotations.get(name))
        )
        or labels["alertname"]
    )
    return f"{region}: {words}" if (region := labels.get("region")) else words
