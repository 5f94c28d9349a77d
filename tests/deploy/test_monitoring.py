"""Metrics, objectives and dashboards fit docs/monitoring.md and name only what exists."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from ops.docs import dashboards, metrics, slos
from ops.local.state_dir import ROOT
from tests.deploy.alerts import everything, unknown_in, wrong_labels

DOCUMENT = (ROOT / "docs/monitoring.md").read_text()
BOARDS = sorted(dashboards.DASHBOARDS.glob("*.json"))
COUNTED = (
    "events|rows|keys|units|rupiah|days|connections|operations|requests|tasks|applications"
    "|certificates|placements|changes|values"
)
UNITS = f"seconds|{COUNTED}|total|leader|broken|generation|failed|open"
TAKEN = {"job", "instance", "region"}  # by the scrape
GRAFANA_UNITS = {
    "short",
    "s",
    "d",
    "bytes",
    "percentunit",
    "reqps",
    "eps",
    "ops",
    "currencyIDR",
}  # the unit ids of Grafana
PERSONAL = re.compile(
    r"name|nik|subject|person|participant|actor|user|address|path|ref|id$|phone|email"
)


def panels(board: Path) -> list[dict[str, Any]]:
    return json.loads(board.read_text())["panels"]


def expressions(board: Path) -> list[str]:
    return [target["expr"] for panel in panels(board) for target in panel["targets"]]


def test_the_document_lists_exactly_the_metrics_of_the_code() -> None:
    table = DOCUMENT.partition("<!-- written by ./bina docs: metrics -->")[2].partition(
        "<!-- end -->"
    )[0]
    listed = {
        line.split("|")[1].strip(" `") for line in table.splitlines() if line.startswith("| `")
    }
    assert listed == {
        metric.samples[0].removesuffix("_bucket") for metric in metrics.list_metrics()
    }


def test_the_document_explains_why_each_label_is_bounded() -> None:
    table = DOCUMENT.partition("### Labels")[2].partition("### Metrics")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    listed = [label for row in rows for label in re.findall(r"`(\w+)`", row[1])]
    used = {label for metric in metrics.list_metrics() for label in metric.labels}
    assert sorted(listed) == sorted(used)
    assert all(row[3].strip() for row in rows)
    assert [label for label in used if label in TAKEN or PERSONAL.search(label)] == []


@pytest.mark.parametrize("metric", metrics.list_metrics(), ids=lambda metric: metric.name)
def test_a_metric_is_named_by_owner_noun_and_unit(metric: metrics.MetricDescription) -> None:
    name = metric.samples[0].removesuffix("_bucket")
    assert re.fullmatch(rf"[a-z]+(?:_[a-z]+)*_(?:{UNITS})", name)
    assert metric.description
    assert (metric.kind == "counter") == name.endswith("_total")


@pytest.mark.parametrize("slo", slos.read_slos(), ids=lambda slo: slo.name)
def test_an_objective_is_a_share_and_explains_itself(slo: slos.Slo) -> None:
    assert re.fullmatch(r"[A-Z][a-z]+", slo.name)
    assert 90 <= slo.objective < 100
    assert all(
        "$window" in expression and f"sum by ({slo.by})" in expression
        for expression in (slo.good, slo.total)
    )
    assert all(len(words) > 20 for words in (slo.says, slo.meaning, slo.indonesian, slo.english))


def test_the_burn_factors_and_budgets_are_those_of_the_workbook() -> None:
    fast, slow = slos.BURNS
    assert [factor for *_, factor in (*fast.pairs, *slow.pairs)] == [14.4, 6, 3, 1]
    assert [slo.budget for slo in slos.read_slos()] == ["0.005", "0.01", "0.01"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_dashboard_is_one_by_grafanas_own_schema(board: Path) -> None:
    content = json.loads(board.read_text())
    assert json.loads(json.dumps(Dashboard.from_json(content), cls=JSONEncoder)) == content
    assert content["uid"] == board.stem
    assert len({panel["id"] for panel in content["panels"]}) == len(content["panels"])
    assert {panel["datasource"]["uid"] for panel in content["panels"]} == {
        dashboards.DATA_SOURCE.uid
    }


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_no_panel_lies_over_another_or_beyond_the_edge(board: Path) -> None:
    places = [panel["gridPos"] for panel in panels(board)]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    apart = [
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
        for one, other in combinations(places, 2)
    ]
    assert all(apart)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_panel_asks_only_for_what_the_parts_show(board: Path) -> None:
    assert [expression for expression in expressions(board) if unknown_in(expression)] == []
    assert [expression for expression in expressions(board) if "SCOPE" in expression] == []


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_panel_uses_only_labels_that_its_metrics_have(board: Path) -> None:
    targets = [target for panel in panels(board) for target in panel["targets"]]
    wrong = {
        target["expr"]: wrong_labels(target["expr"], target["legendFormat"]) for target in targets
    }
    assert {expression: labels for expression, labels in wrong.items() if labels} == {}
    assert all(
        "{{" in target["legendFormat"] or " by (" not in target["expr"].partition("(")[0]
        for target in targets
    ), "what is grouped by has its name in the legend"


@pytest.mark.parametrize("rule", everything(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_uses_only_labels_that_its_metrics_have(
    rule: dict[str, Any],
) -> None:
    assert (
        wrong_labels(
            rule["expr"],
            re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"{{\1}}", str(rule.get("annotations", ""))),
        )
        == set()
    )


def test_a_label_that_a_metric_has_not_is_found() -> None:
    assert wrong_labels('sum by (topic) (bina_outbox_sent_total{status="x"})', "{{service}}") == {
        "topic",
        "bina_outbox_sent_total.status",
        "service",
    }


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_panel_has_its_own_title_unit_and_indonesian_description(board: Path) -> None:
    report = [
        (panel["title"], panel["description"], panel["fieldConfig"]["defaults"]["unit"])
        for panel in panels(board)
    ]
    assert [one for one in report if not all(one)] == []
    assert len({title for title, *_ in report}) == len(report)
    assert {unit for *_, unit in report} <= GRAFANA_UNITS
    for panel in panels(board):
        assert {unit_of(target["expr"]) for target in panel["targets"]} == {
            panel["fieldConfig"]["defaults"]["unit"]
        }, panel["title"]
        assert all(re.fullmatch(r"[A-Z]", target["refId"]) for target in panel["targets"])
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {
            dashboards.DATA_SOURCE.uid
        }


UNIT_OF = (  # the first pattern that matches the expression
    (r"ratio_rate", "percentunit"),
    (r"_rupiah", "currencyIDR"),
    (r"_days", "d"),
    (r"_bytes", "bytes"),
    (r"cpu_seconds|^count\(|batch_events", "short"),
    (r"requests:rate|rate\(\w+_seconds_count", "reqps"),
    (r"rate\(bina_(events|outbox)_\w+_total", "eps"),
    (r"\brate\(\w+_total", "ops"),
    (r"_seconds", "s"),
    (r"", "short"),
)


def unit_of(expression: str) -> str:
    """Return the unit that follows from the expression."""
    return next(unit for words, unit in UNIT_OF if re.search(words, expression))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_what_two_replicas_may_show_at_once_is_counted_once(board: Path) -> None:
    names = {
        metric.name
        for metric in metrics.list_metrics()
        if metric.kind == "gauge" and not metric.name.startswith(("bina_", "gateway_"))
    }
    figures = [
        expression
        for expression in expressions(board)
        if names & set(re.findall(r"\w+", expression))
    ]
    assert [
        expression
        for expression in figures
        if not re.match(r"(sum (by \(\w+\) )?\(max|max|count\(max|topk\(20, max)\b", expression)
    ] == []


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_panel_asks_in_promql(board: Path, tmp_path: Path) -> None:
    asked = tmp_path / "panels.yml"
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(expressions(board))
    ]
    asked.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", str(asked)],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_grafana_finds_the_four_dashboards_and_their_source() -> None:
    assert [board.stem for board in BOARDS] == [
        "bina-business",
        "bina-overview",
        "bina-pipeline",
        "bina-service",
    ]
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert "./deploy/monitoring/dashboards:/var/lib/grafana/dashboards:ro" in grafana["volumes"]
    [provider] = yaml.safe_load((ROOT / "deploy/compose/grafana-dashboards.yml").read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    [source] = yaml.safe_load((ROOT / "deploy/compose/grafana.yml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == (
        dashboards.DATA_SOURCE.uid,
        dashboards.DATA_SOURCE.type_val,
    )
    assert (
        "./deploy/compose/grafana-dashboards.yml:/etc/grafana/provisioning/dashboards/bina.yml:ro"
        in grafana["volumes"]
    )
