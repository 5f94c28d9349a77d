"""The rules as they lie in deploy/monitoring, and which names in an expression nobody shows. Not here: any test."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml

from ops.docs import metrics
from ops.local.state_dir import ROOT

MONITORING = ROOT / "deploy/monitoring"
RULE_FILES, TEST_FILES = (
    sorted((MONITORING / "rules").glob("*.yml")),
    sorted((MONITORING / "tests").glob("*.yml")),
)
RECORDED = re.compile(r"\b[a-z]+(?::\w+){2}\b")


@cache
def everything() -> list[dict[str, Any]]:
    """Every rule, recording or alert."""
    return [
        rule
        for file in RULE_FILES
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def rules() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in everything() if "alert" in rule}


@cache
def declared() -> set[str]:
    """Every name under which Prometheus can keep what a part of ours shows."""
    return {name for metric in metrics.list_metrics() for name in (metric.name, *metric.samples)}


def unknown_in(expression: str) -> set[str]:
    """The names of metrics in it that nobody shows and no rule records."""
    recorded = {rule["record"] for rule in everything() if "record" in rule}
    plain = RECORDED.sub("", expression)
    return (set(RECORDED.findall(expression)) - recorded) | (
        set(metrics.METRIC_NAME.findall(plain)) - declared()
    )


SCRAPED = {"job", "instance", "service", "region"}
_PROMETHEUS_OWN = {"up": SCRAPED, "ALERTS": SCRAPED | {"alertname", "alertstate", "severity"}}
_SELECTOR = re.compile(r"\b([A-Za-z_][\w:]*)\{([^{}]*)\}")
_BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"[^"]*"')


def shown(metric: metrics.MetricDescription) -> set[str]:
    """The labels under which Prometheus keeps it: what the gateway says of another service comes under another name than the scrape's own."""
    return {
        "exported_service" if label == "service" else label for label in metric.labels
    } | SCRAPED


@cache
def labels_of(name: str) -> frozenset[str]:
    """The labels that this metric, or this recorded one, has."""
    if RECORDED.fullmatch(name):
        made = [
            set(rule.get("labels", {})) | _by(rule["expr"]) - {"le"}
            for rule in everything()
            if rule.get("record") == name
        ]
        return frozenset(label for labels in made for label in labels)
    measured = {
        sample: shown(metric) | ({"le"} if sample.endswith("_bucket") else set[str]())
        for metric in metrics.list_metrics()
        for sample in (metric.name, *metric.samples)
    }
    return frozenset(
        measured.get(name)
        or _PROMETHEUS_OWN.get(name)
        or (SCRAPED if name.startswith("process_") else set[str]())
    )


def _by(expression: str) -> set[str]:
    return {
        label.strip()
        for labels in _BY.findall(expression)
        for label in labels.split(",")
        if label.strip()
    }


def wrong_labels(expression: str, legend: str = "") -> set[str]:
    """The labels that an expression matches, groups by or (in its legend) tells, and that no metric in it has."""
    wrong: set[str] = set()
    asked: set[str] = set()
    for name, matchers in _SELECTOR.findall(expression):
        wrong |= {f"{name}.{label}" for label in _MATCHER.findall(matchers)} - {
            f"{name}.{label}" for label in labels_of(name)
        }
        asked |= labels_of(name)
    for name in {
        *RECORDED.findall(expression),
        *metrics.METRIC_NAME.findall(RECORDED.sub("", expression)),
        *re.findall(r"\bprocess_\w+|\bup\b", expression),
    }:
        asked |= labels_of(name)
    grouped = _by(expression)
    told = set(re.findall(r"\{\{(\w+)\}\}", legend)) - ((grouped or asked) - {"le"})
    return wrong | (grouped - asked) | told
