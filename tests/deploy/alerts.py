"""The rules of deploy/monitoring, and names in expressions that no process exposes.

Not here: tests.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ops.docs import metrics
from ops.local.state_dir import ROOT

MONITORING = ROOT / "deploy/monitoring"
RULE_FILES = sorted((MONITORING / "rules").glob("*.yml"))
TEST_FILES = sorted((MONITORING / "tests").glob("*.yml"))
RECORDED = re.compile(r"\b[a-z]+(?::\w+){2}\b")
FOREIGN = {name: labels for it in metrics.read_exporters() for name, labels in it.metrics.items()}
_FOREIGN_NAME = re.compile(r"\b(?:mongodb|kafka|node|probe|kubelet)_[a-z]\w*\b")
SCRAPED = {"job", "instance", "service", "region"}
_PROMETHEUS_OWN = {"up": SCRAPED, "ALERTS": SCRAPED | {"alertname", "alertstate", "severity"}}
_SELECTOR = re.compile(r"\b([A-Za-z_][\w:]*)\{([^{}]*)\}")
_BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"[^"]*"')


@cache
def groups() -> list[dict[str, Any]]:
    """Return the groups of all files of rules."""
    return [group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]]


def everything() -> list[dict[str, Any]]:
    """Return every rule, recording or alert."""
    return [rule for group in groups() for rule in group["rules"]]


def rules() -> dict[str, dict[str, Any]]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for rule in everything() if "alert" in rule}


@cache
def cases() -> dict[str, list[dict[str, Any]]]:
    """Return the cases of all files of tests, by alert."""
    by_alert: dict[str, list[dict[str, Any]]] = {}
    for file in _test_files():
        for case in file["tests"]:
            by_alert.setdefault(alert_of(case), []).append(case)
    return by_alert


def alert_of(case: dict[str, Any]) -> str:
    """Return the alert that a case is about."""
    [name] = {one["alertname"] for one in case["alert_rule_test"]}
    return name


def _test_files() -> list[dict[str, Any]]:
    return [yaml.safe_load(file.read_text()) for file in TEST_FILES]


def run_cases(tried: list[dict[str, Any]], directory: Path) -> str:
    """Let promtool try cases of one alert; return what it prints when one fails.

    It gets only the alert's rule and what that reads. With all rules a case over days takes a
    minute.
    """
    alert = alert_of(tried[0])
    [interval] = {
        file["evaluation_interval"]
        for file in _test_files()
        if alert in map(alert_of, file["tests"])
    }
    (directory / "rules.yml").write_text(yaml.safe_dump({"groups": groups_for(alert)}))
    (directory / "cases.yml").write_text(
        yaml.safe_dump(
            {"rule_files": ["rules.yml"], "evaluation_interval": interval, "tests": tried}
        )
    )
    answer = subprocess.run(
        ["promtool", "test", "rules", str(directory / "cases.yml")],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout + answer.stderr if answer.returncode else ""


def groups_for(alert: str) -> list[dict[str, Any]]:
    """Return the groups of rules, reduced to an alert and the recorded series that it reads."""
    needed: set[str] = set()
    following = {alert}
    while following:
        needed |= following
        read = [rule["expr"] for rule in everything() if name_of(rule) in following]
        following = {name for expr in read for name in RECORDED.findall(expr)} - needed
    reduced = [
        group | {"rules": [rule for rule in group["rules"] if name_of(rule) in needed]}
        for group in groups()
    ]
    return [group for group in reduced if group["rules"]]


def name_of(rule: dict[str, Any]) -> str:
    """Return the name of an alert or of a recorded series."""
    return rule.get("alert") or rule["record"]


@cache
def declared() -> set[str]:
    """Return every name under which Prometheus can keep a metric of ours."""
    return {name for metric in metrics.list_metrics() for name in (metric.name, *metric.samples)}


def unknown_in(expression: str) -> set[str]:
    """Return the metrics of an expression that nobody exposes and no rule records."""
    recorded = {rule["record"] for rule in everything() if "record" in rule}
    unknown_records = set(RECORDED.findall(expression)) - recorded
    return unknown_records | (set(metric_names(expression)) - declared() - FOREIGN.keys())


def metric_names(expression: str) -> list[str]:
    """Return the metrics of an expression, ours and those of exporters."""
    plain = RECORDED.sub("", expression)
    return metrics.METRIC_NAME.findall(plain) + _FOREIGN_NAME.findall(plain)


def labels_in_prometheus(metric: metrics.MetricDescription) -> set[str]:
    """Return the labels under which Prometheus keeps a metric.

    A label `service` of the metric itself is kept as `exported_service`: the scrape sets its own.
    """
    own = {"exported_service" if label == "service" else label for label in metric.labels}
    return own | SCRAPED


@cache
def labels_of(name: str) -> frozenset[str]:
    """Return the labels of a metric or of a recorded series."""
    if RECORDED.fullmatch(name):
        return frozenset(_recorded_labels(name))
    for metric in metrics.list_metrics():
        if name in (metric.name, *metric.samples):
            bucket = {"le"} if name.endswith("_bucket") else set[str]()
            return frozenset(labels_in_prometheus(metric) | bucket)
    if name in FOREIGN:
        return frozenset(SCRAPED.union(FOREIGN[name]))
    if name.startswith("process_"):
        return frozenset(SCRAPED)
    return frozenset(_PROMETHEUS_OWN.get(name, set[str]()))


def _recorded_labels(name: str) -> Iterator[str]:
    for rule in everything():
        if rule.get("record") == name:
            yield from rule.get("labels", {})
            yield from _by(rule["expr"]) - {"le"}


def _by(expression: str) -> set[str]:
    """Return the labels that an expression groups or matches by."""
    labels = [label for group in _BY.findall(expression) for label in group.split(",")]
    return {label.strip() for label in labels if label.strip()}


def wrong_labels(expression: str, legend: str = "") -> set[str]:
    """Return labels of an expression, or of its legend, that none of its metrics has."""
    wrong: set[str] = set()
    known: set[str] = set()
    for name, matchers in _SELECTOR.findall(expression):
        labels = labels_of(name)
        known |= labels
        wrong |= {f"{name}.{label}" for label in set(_MATCHER.findall(matchers)) - labels}
    names = {
        *RECORDED.findall(expression),
        *metric_names(expression),
        *re.findall(r"\bprocess_\w+|\bup\b", expression),
    }
    for name in names:
        known |= labels_of(name)
    grouped = _by(expression)
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    return wrong | (grouped - known) | (shown - ((grouped or known) - {"le"}))
