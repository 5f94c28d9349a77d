"""Parses the on-call schedule (a TOML file) and the webhook body of Alertmanager.

Not here: the decisions (rules).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

from ops.errors import OperatorError
from ops.oncall.rules import Firing, OnCallSchedule, OnCallTurn

SEVERITIES = ("ticket", "page")  # the worst last


def read_schedule(file: Path) -> OnCallSchedule:
    """Return the schedule in a file. Raises OperatorError with every mistake."""
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
    for turn in turns:
        unknown = [name for name in turn.order if name not in people]
        wrong += [f"turn {turn.first_day}: {name}" for name in unknown]
    wrong += [
        f"escalate_minutes: {severity}"
        for severity in SEVERITIES
        if not content["escalate_minutes"].get(severity, 0) > 0
    ]
    if (
        not turns
        # The local day of this machine.
        or min(turn.first_day for turn in turns) > date.today()  # noqa: DTZ011
        or not all(turn.order for turn in turns)
    ):
        wrong.append("turn")
    if wrong:
        raise OperatorError(
            f"{file}: isi ini tidak dapat dipakai: {', '.join(wrong)}",
            f"{file}: these entries cannot be used: {', '.join(wrong)}",
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
    """Return one group of Alertmanager's webhook (version 4).

    An alert of a rule that is not ours may lack annotations. An unknown severity counts as the
    worst. Raises KeyError, TypeError or ValueError.
    """
    alerts = cast("list[dict[str, Any]]", posted["alerts"])
    firing = [alert for alert in alerts if alert["status"] == "firing"]
    severities = [_severity_rank(alert["labels"].get("severity")) for alert in firing]
    texts: dict[str, str] = {}
    runbooks: set[str] = set()
    for alert in firing:
        annotations: dict[str, str] = alert.get("annotations") or {}
        texts[str(alert["fingerprint"])] = _describe_alert(alert["labels"], annotations)
        if "runbook" in annotations:
            runbooks.add(str(annotations["runbook"]))
    return Firing(
        key=str(posted["groupKey"]),
        severity=SEVERITIES[max(severities, default=0)],
        alerts=texts,
        runbooks=frozenset(runbooks),
    )


def _severity_rank(severity: str | None) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


def _describe_alert(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Return the text of one alert, prefixed with its region: a server may serve several."""
    lines = [annotations.get(name) for name in ("summary", "meaning", "summary_en")]
    text = "\n".join(line for line in lines if line) or labels["alertname"]
    region = labels.get("region")
    return f"{region}: {text}" if region else text
