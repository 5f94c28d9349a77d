"""Alerts are delivered: every severity has a route that ends at the on-call server."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from ops.local.state_dir import ROOT
from tests.deploy.alerts import rules

FILE = ROOT / "deploy/monitoring/alertmanager.yml"
CONFIG: dict[str, Any] = yaml.safe_load(FILE.read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def amtool(*arguments: str) -> str:
    done = subprocess.run(
        ["amtool", *arguments],  # noqa: S607 - found in PATH
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.needs("amtool")
def test_alertmanager_takes_its_configuration() -> None:
    amtool("check-config", str(FILE))


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("alert", rules())
def test_an_alert_goes_to_the_on_call_server_and_the_watchdog_apart(alert: str) -> None:
    labels = [
        f"alertname={alert}",
        f"severity={rules()[alert]['labels']['severity']}",
        "service=training",
    ]
    assert amtool("config", "routes", "test", f"--config.file={FILE}", *labels).strip() == (
        "watchdog" if alert == "Watchdog" else "oncall"
    )


def test_every_severity_has_a_route_to_the_on_call_server() -> None:
    severities = {
        rule["labels"]["severity"] for alert, rule in rules().items() if alert != "Watchdog"
    }
    matchers = " ".join(
        matcher for route in CONFIG["route"]["routes"] for matcher in route["matchers"]
    )
    assert set(re.findall(r'severity="(\w+)"', matchers)) == severities
    urls = {
        receiver["name"]: [hook["url"] for hook in receiver["webhook_configs"]]
        for receiver in CONFIG["receivers"]
    }
    assert urls == {
        "oncall": ["http://oncall:7095/alerts"],
        "watchdog": ["http://oncall:7095/watchdog"],
    }


def test_consequences_are_inhibited_and_the_watchdog_is_repeated() -> None:
    [down] = [
        rule
        for rule in CONFIG["inhibit_rules"]
        if rule["source_matchers"] == ['alertname="ProcessDown"']
    ]
    assert down["equal"] == ["region", "service"], (
        "a process that is down delays nothing in another region"
    )
    [watchdog] = [
        route
        for route in CONFIG["route"]["routes"]
        if route["matchers"] == ['alertname="Watchdog"']
    ]
    assert watchdog["repeat_interval"] == "1m"
    assert rules()["ProcessDown"]["labels"]["severity"] == "page"


def test_compose_runs_alertmanager_and_the_on_call_server() -> None:
    prometheus: dict[str, Any] = yaml.safe_load(
        (ROOT / "deploy/compose/prometheus.yml").read_text()
    )
    [alertmanager] = prometheus["alerting"]["alertmanagers"]
    assert alertmanager["static_configs"][0]["targets"] == ["alertmanager:9093"]
    assert (
        "./deploy/monitoring/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro"
        in COMPOSE["alertmanager"]["volumes"]
    )
    assert COMPOSE["oncall"]["entrypoint"] == ["python", "-m", "ops.oncall"]
    assert COMPOSE["oncall"]["command"][-1] == "7095"
    assert "depends_on" not in COMPOSE["oncall"]


def test_the_on_call_image_holds_every_module_that_it_imports() -> None:
    copied = " ".join(
        line
        for line in (ROOT / "deploy/compose/Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
    )
    code = "\n".join(file.read_text() for file in (ROOT / "ops/oncall").glob("*.py"))
    imported = set(re.findall(r"^from (ops[\w.]*) import", code, re.MULTILINE))
    assert "ops.errors" in imported
    assert "ops/oncall ops/oncall" in copied
    assert [
        name
        for name in imported
        if not name.startswith("ops.oncall") and name.replace(".", "/") + ".py" not in copied
    ] == []
