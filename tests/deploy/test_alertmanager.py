"""Alerts are delivered: every severity goes somewhere, what follows from something else is not told, and all of it ends at the oncall."""

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
    said = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)  # noqa: S607 - found in PATH
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.mark.needs("amtool")
def test_alertmanager_takes_its_configuration() -> None:
    amtool("check-config", str(FILE))


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("alert", rules())
def test_an_alert_goes_to_the_oncall_and_the_watchdog_to_its_own_door(alert: str) -> None:
    labels = [
        f"alertname={alert}",
        f"severity={rules()[alert]['labels']['severity']}",
        "service=training",
    ]
    assert amtool("config", "routes", "test", f"--config.file={FILE}", *labels).strip() == (
        "watchdog" if alert == "Watchdog" else "oncall"
    )


def test_every_severity_has_its_route_and_every_receiver_is_a_door_of_the_oncall() -> None:
    severities = {
        rule["labels"]["severity"] for alert, rule in rules().items() if alert != "Watchdog"
    }
    routed = {
        found[1]
        for route in CONFIG["route"]["routes"]
        for matcher in route["matchers"]
        if (found := re.fullmatch(r'severity="(\w+)"', matcher))
    }
    assert routed == severities
    urls = {
        receiver["name"]: [hook["url"] for hook in receiver["webhook_configs"]]
        for receiver in CONFIG["receivers"]
    }
    assert urls == {
        "oncall": ["http://oncall:7095/alerts"],
        "watchdog": ["http://oncall:7095/watchdog"],
    }


def test_what_follows_from_a_part_that_is_down_is_not_told_and_the_watchdog_is_told_on_and_on() -> (
    None
):
    [down] = [
        rule
        for rule in CONFIG["inhibit_rules"]
        if rule["source_matchers"] == ['alertname="ProcessDown"']
    ]
    assert down["equal"] == ["region", "service"], (
        "what is down in one region makes nothing late in another"
    )
    [watchdog] = [
        route
        for route in CONFIG["route"]["routes"]
        if route["matchers"] == ['alertname="Watchdog"']
    ]
    assert watchdog["repeat_interval"] == "1m"
    assert rules()["ProcessDown"]["labels"]["severity"] == "page"


def test_compose_runs_alertmanager_and_the_oncall_and_prometheus_knows_of_them() -> None:
    told: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    assert told["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == [
        "alertmanager:9093"
    ]
    assert (
        "./deploy/monitoring/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro"
        in COMPOSE["alertmanager"]["volumes"]
    )
    assert COMPOSE["oncall"]["entrypoint"] == ["python", "-m", "ops.oncall"]
    assert COMPOSE["oncall"]["command"][-1] == "7095"
    assert "depends_on" not in COMPOSE["oncall"]


def test_the_oncall_image_holds_every_module_of_ours_that_the_oncall_imports() -> None:
    copied = " ".join(
        line
        for line in (ROOT / "deploy/compose/Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
    )
    imported = {
        found
        for file in (ROOT / "ops/oncall").glob("*.py")
        for found in re.findall(r"^from (ops[\w.]*) import", file.read_text(), re.MULTILINE)
    }
    assert "ops.errors" in imported
    assert "ops/oncall ops/oncall" in copied
    assert [
        name
        for name in imported
        if not name.startswith("ops.oncall") and name.replace(".", "/") + ".py" not in copied
    ] == []
