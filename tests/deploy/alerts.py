"""The rules as they lie in deploy/monitoring, and which names in an expression nobody shows. Not here: any test."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import yaml

from ops import metrics
from ops.home import ROOT

MONITORING = ROOT / "deploy/monitoring"
RULE_FILES, TEST_FILES = sorted((MONITORING / "rules").glob("*.yml")), sorted((MONITORING / "tests").glob("*.yml"))
RECORDED = re.compile(r"\b[a-z]+(?::\w+){2}\b")


@cache
def everything() -> list[dict[str, Any]]:
    """Every rule, recording or alert."""
    return [rule for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def rules() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in everything() if "alert" in rule}


@cache
def declared() -> set[str]:
    """Every name under which Prometheus can keep what a part of ours shows."""
    return {name for metric in metrics.declared() for name in (metric.name, *metric.samples)}


def unknown_in(expression: str) -> set[str]:
    """The names of metrics in it that nobody shows and no rule records."""
    recorded = {rule["record"] for rule in everything() if "record" in rule}
    plain = RECORDED.sub("", expression)
    return (set(RECORDED.findall(expression)) - recorded) | (set(metrics.OURS.findall(plain)) - declared())
