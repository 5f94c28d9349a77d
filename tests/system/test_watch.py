"""Monitoring of a running system with a real Prometheus, Alertmanager and on-call server.

A killed service and its return are notified to the person on duty.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.docs import dashboards, metrics
from ops.local import platform_checks, processes, topology
from ops.local.state_dir import ROOT
from tests.deploy.alerts import MONITORING, RECORDED, everything, labels_in_prometheus, rules
from tests.installation import Installation, eventually

pytestmark = [pytest.mark.timeout(400), pytest.mark.needs("prometheus", "prometheus-alertmanager")]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
KILLED = "manpower"
TYPE = re.compile(r"^# TYPE (\S+) (\w+)$", re.MULTILINE)


def asked(url: str, **parameters: str) -> Any:
    # Our own address.
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}?{query}") as answer:  # noqa: S310
        return json.load(answer)["data"]


class NotificationReceiver(ThreadingHTTPServer):
    """A fake message gateway that receives the notifications of the person on duty."""

    def __init__(self) -> None:
        heard = self.heard = list[tuple[str, str]]()

        class NotificationHandler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(
                    (
                        self.path.strip("/"),
                        json.loads(self.rfile.read(int(self.headers["content-length"])))["text"],
                    )
                )
                self.send_response(202)
                self.end_headers()

            # The base class has this parameter name.
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Write nothing to standard error."""

        super().__init__(("127.0.0.1", 0), NotificationHandler)


class MonitoringHarness:
    """Prometheus, Alertmanager and the on-call server on one running system.

    Their configurations are ours, with other addresses and shorter waits.
    """

    def __init__(
        self, system: Installation, directory: Path, receiver: NotificationReceiver
    ) -> None:
        self.system = system
        self.directory = directory
        self.receiver = receiver
        self.prometheus, self.alertmanager, self.oncall = (
            f"{platform_checks.LOOPBACK}:{port}" for port in platform_checks.find_free_ports(3)
        )

    def port(self, part: topology.Service) -> int:
        """Return the port of a process's metrics."""
        return self.system.port + part.listener.offset + part.probe_offset

    def configure(self) -> None:
        """Write the configurations of Prometheus, Alertmanager and the on-call server."""
        report: dict[str, Any] = yaml.safe_load(
            (ROOT / "deploy/compose/prometheus.yml").read_text()
        )
        report["global"] = {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        }
        report["rule_files"] = [str(self.directory / "rules/*.yml")]
        report["alerting"]["alertmanagers"] = [
            {"static_configs": [{"targets": [self.alertmanager]}]}
        ]
        [scrape] = [job for job in report["scrape_configs"] if job["job_name"] == "bina"]
        report["scrape_configs"] = [scrape]  # the exporters run beside containers only
        del scrape["relabel_configs"]
        scrape["static_configs"] = [
            {
                "targets": [f"{platform_checks.LOOPBACK}:{self.port(part)}"],
                "labels": {"service": part.name, "region": "uji"},
            }
            for part in topology.PROCESSES
        ]
        (self.directory / "prometheus.yml").write_text(yaml.safe_dump(report))
        (self.directory / "rules").mkdir()
        for file in (MONITORING / "rules").glob("*.yml"):
            (self.directory / "rules" / file.name).write_text(
                re.sub(r"for: \d+[mh]$", "for: 1s", file.read_text(), flags=re.MULTILINE)
            )
        routes = (MONITORING / "alertmanager.yml").read_text().replace("oncall:7095", self.oncall)
        (self.directory / "alertmanager.yml").write_text(
            re.sub(r"(group_wait|group_interval): \S+", r"\1: 1s", routes)
        )
        people = (
            (MONITORING / "oncall.toml")
            .read_text()
            .replace("http://127.0.0.1:7095", f"http://{self.oncall}")
        )
        (self.directory / "oncall.toml").write_text(
            re.sub(
                r'"mailto:([\w-]+)@bina.example"',
                rf'"http://127.0.0.1:{self.receiver.server_port}/\1"',
                people,
            )
        )

    def commands(self) -> dict[str, list[str]]:
        """Return the command line of each program by its name."""
        monitoring = self.directory
        (host, _, port) = self.oncall.partition(":")
        return {
            "oncall": [
                sys.executable,
                "-m",
                "ops.oncall",
                str(monitoring / "oncall.toml"),
                str(monitoring / "book.json"),
                host,
                port,
            ],
            "alertmanager": [
                *(
                    _found("prometheus-alertmanager"),
                    f"--config.file={monitoring}/alertmanager.yml",
                    f"--storage.path={monitoring}/alertmanager",
                ),
                *(f"--web.listen-address={self.alertmanager}", "--cluster.listen-address="),
            ],
            "prometheus": [
                *(
                    _found("prometheus"),
                    f"--config.file={monitoring}/prometheus.yml",
                    f"--storage.tsdb.path={monitoring}/prometheus",
                ),
                *(f"--web.listen-address={self.prometheus}", "--enable-feature=exemplar-storage"),
            ],
        }

    def found(self, expression: str) -> list[dict[str, Any]]:
        """Return what Prometheus answers to this query now."""
        return asked(f"http://{self.prometheus}/api/v1/query", query=expression)["result"]

    def firing(self, alert: str, **labels: str) -> bool:
        """Return whether the alert fires with these labels."""
        return any(
            one["state"] == "firing"
            and {"alertname": alert, **labels}.items() <= one["labels"].items()
            for one in asked(f"http://{self.prometheus}/api/v1/alerts")["alerts"]
        )

    def has_notified(self, words: str) -> bool:
        """Return whether the person on duty received this."""
        return any(words in text for _, text in self.receiver.heard)


def _found(tool: str) -> str:
    path = shutil.which(tool)
    assert path
    return path


@pytest.fixture(scope="module")
def monitoring(
    system: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MonitoringHarness]:
    """Start the monitoring and wait until it scrapes every process."""
    with NotificationReceiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        monitoring = MonitoringHarness(system, tmp_path_factory.mktemp("watch"), receiver)
        monitoring.configure()
        running = [
            processes.spawn(command, monitoring.directory / f"{name}.log", cwd=ROOT)
            for name, command in monitoring.commands().items()
        ]
        try:
            eventually(
                lambda: _answers(
                    lambda: len(monitoring.found("up == 1")) == len(topology.PROCESSES)
                )
            )
            yield monitoring
        finally:
            for child in reversed(running):
                processes.end(child)
            receiver.shutdown()


def _answers(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except OSError:
        return False


def bucket_labels(name: str) -> set[str]:
    """Return the label that Prometheus adds to a sample of a histogram."""
    return {"le"} if name.endswith("_bucket") else set()


def test_exposed_metrics_are_the_declared_and_the_watched_ones(
    monitoring: MonitoringHarness,
) -> None:
    shown: set[str] = set()
    for part in topology.PROCESSES:
        with urllib.request.urlopen(
            f"http://{platform_checks.LOOPBACK}:{monitoring.port(part)}/metrics"
        ) as answer:
            text = answer.read().decode()
        names = {
            name.removesuffix("_total")
            for name, _ in TYPE.findall(text)
            if not name.endswith("_created")
        }
        assert {name.partition("_")[0] for name in names} <= {
            "bina",
            part.name,
            "python",
            "process",
        }
        shown |= names
    declared = metrics.list_metrics()
    assert {name for name in shown if metrics.METRIC_NAME.fullmatch(name)} == {
        metric.name for metric in declared
    }
    expressions = [rule["expr"] for rule in everything()]
    expressions += [
        target["expr"]
        for file in dashboards.DASHBOARDS.glob("*.json")
        for panel in json.loads(file.read_text())["panels"]
        for target in panel["targets"]
    ]
    known = {name for metric in declared for name in metric.samples} | {
        name for name in shown if name.startswith("process_")
    }
    wanted = {
        name
        for expression in expressions
        for name in re.findall(
            rf"{metrics.METRIC_NAME.pattern}|\bprocess_\w+", RECORDED.sub("", expression)
        )
    }
    assert {
        name for name in wanted if name not in known and name.removesuffix("_total") not in known
    } == set()


def test_prometheus_understands_every_panel_and_keeps_its_labels(
    monitoring: MonitoringHarness,
) -> None:
    for file in dashboards.DASHBOARDS.glob("*.json"):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$region", ".*").replace("$service", ".*")
                assert asked(
                    f"http://{monitoring.prometheus}/api/v1/format_query", query=expression
                )
                monitoring.found(expression)  # raises where types do not fit
    assert asked(f"http://{monitoring.prometheus}/api/v1/label/region/values") == ["uji"]
    by_sample = {sample: metric for metric in metrics.list_metrics() for sample in metric.samples}
    kept: dict[str, set[str]] = {}
    for series in asked(
        f"http://{monitoring.prometheus}/api/v1/series",
        **{
            "match[]": '{__name__=~"('
            + "|".join(("bina", *(part.name for part in topology.PROCESSES)))
            + ')_.+"}'
        },
    ):
        kept.setdefault(series["__name__"], set()).update(series.keys() - {"__name__"})
    assert len(kept) > 30
    declared = {
        name: labels_in_prometheus(by_sample[name]) | bucket_labels(name)
        for name in kept
        if name in by_sample
    }
    assert {
        name: kept[name] ^ labels for name, labels in declared.items() if kept[name] != labels
    } == {}


def test_connections_and_scheduled_gauges_are_measured(monitoring: MonitoringHarness) -> None:
    eventually(
        lambda: (
            {
                one["metric"]["service"]
                for one in monitoring.found("bina_mongo_pool_connections > 0")
            }
            == {part.name for part in topology.PROCESSES}
        )
    )
    wanted = {
        "training_overdue_tasks",
        "certification_queue_certificates",
        "marketplace_books_difference_rupiah",
        "manpower_placements",
    }
    eventually(
        lambda: (
            {
                one["metric"]["__name__"]
                for one in monitoring.found(f'{{__name__=~"{"|".join(wanted)}"}}')
            }
            == wanted
        )
    )


def test_a_latency_carries_the_trace_of_a_request(monitoring: MonitoringHarness) -> None:
    url = f"http://{platform_checks.LOOPBACK}:{monitoring.system.port}/v1/facilities"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(
            urllib.request.Request(url, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
        )

    def carried() -> bool:
        found = asked(
            f"http://{monitoring.prometheus}/api/v1/query_exemplars",
            query="gateway_request_seconds_bucket",
            start="0",
            end="99999999999",
        )
        return TRACE in {
            exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]
        }

    eventually(carried)


def test_a_killed_service_and_its_return_are_notified_on_call(
    monitoring: MonitoringHarness,
) -> None:
    assert not monitoring.firing("ProcessDown")
    eventually(lambda: monitoring.firing("Watchdog"))
    killed = set[int]()

    # The service restarts within seconds, often before anybody is notified. So this kills it until
    # somebody was.
    def heard_of() -> bool:
        ran = json.loads((monitoring.system.home / "run" / f"{KILLED}.pid").read_text())["pid"]
        if ran not in killed:
            killed.add(ran)
            with contextlib.suppress(ProcessLookupError):
                os.kill(ran, signal.SIGKILL)
        return monitoring.has_notified(
            f"{KILLED} tidak menjawab\n{rules()['ProcessDown']['annotations']['meaning']}\n"
            f"{KILLED} does not answer"
        )

    eventually(heard_of)
    first = next(person for person, text in monitoring.receiver.heard if KILLED in text)
    assert first.startswith("piket-")
    eventually(lambda: not monitoring.firing("ProcessDown"))
    eventually(lambda: monitoring.has_notified("Sudah selesai"))
    assert not monitoring.has_notified("Pengawasan diam")
    eventually(lambda: all(part["ready"] for part in monitoring.system.status()["parts"]))
