"""Every alert has cases that fire and do not, a runbook, and a guarantee."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import chassis.jobs.invariants
from ops.docs import metrics
from ops.local.state_dir import ROOT
from tests.deploy.alerts import (
    FOREIGN,
    MONITORING,
    RECORDED,
    RULE_FILES,
    TEST_FILES,
    cases,
    everything,
    metric_names,
    rules,
    run_cases,
    unknown_in,
)

RUNBOOKS = ROOT / "docs/runbooks"
GUARANTEES = ROOT / "docs/guarantees.md"
PROMISED = MONITORING / "rules/pipeline.yml"  # its alerts show that a guarantee is broken


ENGLISH = {"the", "of", "is", "are", "not", "and", "has", "have", "for", "in", "to", "more", "than"}
INDONESIAN = {
    "tidak",
    "yang",
    "di",
    "dan",
    "atau",
    "ke",
    "belum",
    "lagi",
    "ada",
    "dari",
    "lebih",
    "sudah",
    "untuk",
}


def words(*texts: str) -> set[str]:
    return {word.lower() for text in texts for word in re.findall(r"[A-Za-z]+", text)}


FIELDS = ("Promise", "Limits", "Proof", "Metric", "Alert", "Production check")


def promises() -> list[list[str]]:
    """Return the numbered sections of guarantees.md: the number, then the text of each field."""
    sections = re.split(r"^## ", GUARANTEES.read_text(), flags=re.MULTILINE)[1:]
    numbered = [section for section in sections if re.match(r"\d+\. ", section)]
    return [[section.partition(".")[0], *fields(section)] for section in numbered]


def fields(section: str) -> list[str]:
    """Return the text of each field; empty where the section lacks it."""
    parts = re.split(r"^\*\*([A-Z][a-z ]+)\.\*\*\s*", section, flags=re.MULTILINE)
    texts = dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))
    return [texts.get(name, "") for name in FIELDS]


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.name)
def test_the_rules_are_rules(file: Path) -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(file)],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("alert", cases())
def test_an_alert_fires_and_does_not_fire_as_its_cases_say(alert: str, tmp_path: Path) -> None:
    assert run_cases(cases()[alert], tmp_path) == ""


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    fires: dict[str, set[bool]] = {}
    for alert, tried in cases().items():
        for case in tried:
            assert case["input_series"], case["name"]
            expected = [bool(one.get("exp_alerts")) for one in case["alert_rule_test"]]
            fires.setdefault(alert, set()).update(expected)
    assert fires == {alert: {True, False} for alert in rules()}


@pytest.mark.parametrize("alert", rules())
def test_an_alert_has_a_plain_name_and_a_complete_runbook(
    alert: str,
) -> None:
    assert re.fullmatch(r"[A-Za-z]+", alert)
    annotations = rules()[alert]["annotations"]
    assert rules()[alert]["labels"]["severity"] in (
        {"none"} if alert == "Watchdog" else {"page", "ticket"}
    )
    assert annotations["summary"]
    assert annotations["summary_en"] not in {"", annotations["summary"]}
    assert len(annotations["meaning"]) > 40, "what it means for the prison"
    assert annotations["meaning"].endswith(".")
    assert not words(annotations["summary"], annotations["meaning"]) & ENGLISH
    assert not words(annotations["summary_en"]) & INDONESIAN
    assert words(annotations["summary"], annotations["meaning"]) & INDONESIAN
    assert re.findall(r"\$labels\.\w+", annotations["summary"]) == re.findall(
        r"\$labels\.\w+", annotations["summary_en"]
    )
    page = ROOT / annotations["runbook"]
    assert page == RUNBOOKS / f"{alert}.md"
    parts = re.findall(r"^## (.+)\n(?:.+\n)+", page.read_text(), re.MULTILINE)
    assert parts == ["Symptom", "What it means for the prison", "How to diagnose", "How to fix"]


def test_each_page_has_its_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == rules().keys()


@pytest.mark.parametrize("rule", everything(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_speaks_only_of_metrics_that_the_code_declares(rule: dict[str, Any]) -> None:
    names = metric_names(rule["expr"]) + RECORDED.findall(rule["expr"])
    assert names or "up{" in rule["expr"]
    assert unknown_in(rule["expr"]) == set()


def test_a_metric_that_nobody_shows_is_found_in_an_expression() -> None:
    assert unknown_in(
        "rate(bina_outbox_sent_total[5m]) > training_nothing_rows and slo:bad:ratio_rate9m"
        " or mongodb_up + mongodb_never"
    ) == {"training_nothing_rows", "slo:bad:ratio_rate9m", "mongodb_never"}


def test_every_listed_metric_of_an_exporter_is_used_by_a_rule() -> None:
    used = {name for rule in everything() for name in metric_names(rule["expr"])}
    assert FOREIGN.keys() - used == set()


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.name)
def test_the_cases_speak_only_of_metrics_that_the_code_declares(file: Path) -> None:
    series = [
        one["series"]
        for case in yaml.safe_load(file.read_text())["tests"]
        for one in case["input_series"]
    ]
    assert [one for one in series if unknown_in(one)] == []


def test_prometheus_loads_the_rules_and_sets_the_label_service() -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"][
        "volumes"
    ]
    assert config["rule_files"] == ["/etc/prometheus/rules/*.yml"]
    assert "./deploy/monitoring/rules:/etc/prometheus/rules:ro" in volumes
    scrape = config["scrape_configs"][0]
    [relabel] = scrape["relabel_configs"]
    assert relabel["target_label"] == "service"
    targets: list[str] = scrape["static_configs"][0]["targets"]
    named = [re.fullmatch(relabel["regex"], target) for target in targets]
    assert [match[1] for match in named if match] == [
        target.partition(":")[0] for target in targets
    ]


def test_every_alert_and_invariant_belongs_to_a_numbered_guarantee() -> None:
    assert [cells[0] for cells in promises()] == [
        str(number) for number in range(1, len(promises()) + 1)
    ]
    text = GUARANTEES.read_text()
    promised = [
        rule["alert"]
        for group in yaml.safe_load(PROMISED.read_text())["groups"]
        for rule in group["rules"]
    ]
    assert [alert for alert in promised if f"`{alert}`" not in text] == []
    names = [check.__name__ for check in chassis.jobs.invariants.INVARIANTS]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("cells", promises(), ids=lambda cells: cells[0])
def test_a_promise_names_tests_metrics_alerts_and_checks_that_exist(cells: list[str]) -> None:
    _, promise, limits, tests, measured, alerts, check = cells
    assert all((promise, limits, tests, measured, alerts, check))
    assert missing_tests(tests) == []
    assert [
        name
        for name in re.findall(r"`([^`]+)`", measured)
        if not metrics.METRIC_NAME.match(name) or unknown_in(name)
    ] == []
    assert set(re.findall(r"\[?`([A-Za-z]+)`", alerts)) <= rules().keys()
    assert alerts.startswith(("none: ", "[`"))
    invariants = {it.__name__ for it in chassis.jobs.invariants.INVARIANTS}
    assert {name for name in re.findall(r"`([a-z_]+)`", check) if "_" in name} <= invariants


def missing_tests(cell: str) -> list[str]:
    """Return the named tests that do not exist; `::name` belongs to the file named before it."""
    missing: list[str] = []
    text = ""
    for file, test in re.findall(r"`([\w/.]*)(?:::(\w+))?`", cell):
        if file:
            text = (ROOT / file).read_text() if (ROOT / file).is_file() else ""
        if not text or (test and f"def {test}(" not in text):
            missing.append(f"{file}::{test}")
    return missing


def test_a_test_that_is_not_there_is_missed() -> None:
    assert missing_tests("`tests/deploy/test_alerts.py::test_nothing`, `tests/nowhere.py`") == [
        "tests/deploy/test_alerts.py::test_nothing",
        "tests/nowhere.py::",
    ]
