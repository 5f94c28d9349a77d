"""A Prometheus that watches several regions alerts for each region by itself."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from ops.docs import metrics
from ops.local import topology
from tests.deploy import alerts
from tests.deploy.alerts import everything, rules

OF_ALL = {"Watchdog"}  # about the monitoring itself
AGGREGATION = re.compile(r"\b(?:sum|min|max|avg|count|group)\s*(by \([^)]*\)|(?=\())")
MATCHING = re.compile(r"\bon \(([^)]*)\)")
JOB = re.compile(f'job="({"|".join(["bina", *(it.job for it in metrics.read_exporters())])})"')
HERE = "sunyi"
THERE = "ramai"
Case = dict[str, Any]


def fires(case: Case) -> bool:
    return any(one.get("exp_alerts") for one in case["alert_rule_test"])


def of_one_region() -> list[Case]:
    """Return the cases that fire and name no region themselves."""
    return [
        case
        for case in chain.from_iterable(alerts.cases().values())
        if fires(case)
        and alerts.alert_of(case) not in OF_ALL
        and all(
            JOB.search(one["series"]) and "region=" not in one["series"]
            for one in case["input_series"]
        )
    ]


def of_region(case: Case, region: str) -> list[dict[str, str]]:
    """Return the series of a case as the scrape of this region keeps them."""
    return [
        one | {"series": one["series"].replace("}", f',region="{region}"}}')}
        for one in case["input_series"]
    ]


def regionless(expression: str) -> list[str]:
    """Return what an expression counts or compares over all regions together."""
    hours = (
        expression.replace("on () (hour()", "")
        .replace("on () (day_of_week()", "")
        .replace("or on () vector(0)", "")
    )
    counted = [match[0] for match in AGGREGATION.finditer(hours) if "region" not in match[1]]
    return counted + [
        f"on ({labels})" for labels in MATCHING.findall(hours) if "region" not in labels
    ]


@pytest.mark.parametrize(
    "rule",
    [rule for rule in everything() if rule.get("alert") not in OF_ALL],
    ids=lambda rule: rule.get("alert") or rule["record"],
)
def test_no_rule_counts_or_compares_over_regions(rule: dict[str, Any]) -> None:
    assert regionless(rule["expr"]) == []


def test_what_counts_over_regions_is_found() -> None:
    assert regionless(
        "sum(rate(a[5m])) / max by (service) (b) and on (service) min by (region) (c)"
    ) == ["sum", "max by (service)", "on (service)"]


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("case", of_one_region(), ids=lambda case: case["name"].replace(" ", "-"))
def test_an_alert_fires_for_its_region_only(case: Case, tmp_path: Path) -> None:
    """All is well in the other region."""
    well = min(
        (one for one in alerts.cases()[alerts.alert_of(case)] if not fires(one)),
        key=lambda one: one["interval"] != case["interval"],
    )
    asked: list[Case] = []
    for one in case["alert_rule_test"]:
        expected = [
            expected_alert | {"exp_labels": expected_alert["exp_labels"] | {"region": HERE}}
            for expected_alert in one.get("exp_alerts", ())
        ]
        asked.append(one | {"exp_alerts": expected})
    series = of_region(case, HERE) + of_region(well, THERE)
    combined = case | {"input_series": series, "alert_rule_test": asked}
    assert alerts.run_cases([combined], tmp_path) == ""


def test_each_alert_is_tried_in_two_regions() -> None:
    assert {alerts.alert_of(case) for case in of_one_region()} == rules().keys() - OF_ALL


def test_rules_that_name_services_name_the_right_ones() -> None:
    assert all("training" in service.consumes for service in topology.SERVICES)
    assert set(re.findall(r'"service", "(\w+)"', rules()["ProcessDown"]["expr"])) == {
        service.name for service in topology.PROCESSES
    } | {"bina"}
