"""In a cluster an alert reaches a person on call as in compose."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.local import platform_checks, processes
from ops.local.state_dir import ROOT
from ops.oncall import config as oncall_file
from tests.deploy.alerts import rules
from tests.deploy.k8s import WATCHED, Object, app, container, files, named, of
from tests.deploy.test_alertmanager import COMPOSE, CONFIG, amtool
from tests.installation import eventually
from tests.system.test_watch import NotificationReceiver

pytestmark = pytest.mark.needs("kustomize")
NAMES = {
    "groupBy": "group_by",
    "groupWait": "group_wait",
    "groupInterval": "group_interval",
    "repeatInterval": "repeat_interval",
}


def matcher(one: Object) -> str:
    return f'{one["name"]}{one.get("matchType", "=")}"{one["value"]}"'


def route(one: Object) -> Object:
    made = {
        NAMES.get(name, name): value
        for name, value in one.items()
        if name not in {"matchers", "routes"}
    }
    made |= {"matchers": [matcher(each) for each in one["matchers"]]} if "matchers" in one else {}
    return made | ({"routes": [route(each) for each in one["routes"]]} if "routes" in one else {})


def in_alertmanagers_words(overlay: str) -> Object:
    """Translate the AlertmanagerConfig of an overlay to the keys of Alertmanager's own file."""
    spec = named(overlay, "AlertmanagerConfig", "bina")["spec"]
    hooks = {
        one["name"]: [
            {"url": hook["url"], "send_resolved": hook["sendResolved"]}
            for hook in one["webhookConfigs"]
        ]
        for one in spec["receivers"]
    }
    inhibiting = [
        (one["sourceMatch"], one["targetMatch"], one["equal"]) for one in spec["inhibitRules"]
    ]
    return {
        "route": route(spec["route"]),
        "inhibit_rules": [
            {
                "source_matchers": [*map(matcher, source)],
                "target_matchers": [*map(matcher, target)],
                "equal": equal,
            }
            for source, target, equal in inhibiting
        ],
        "receivers": [{"name": name, "webhook_configs": hooks[name]} for name in hooks],
    }


def as_the_operator_makes_it(overlay: str) -> Object:
    """Return the file that the Prometheus operator makes.

    All of it applies to alerts of its own namespace, below a route that notifies nobody.
    """
    config = in_alertmanagers_words(overlay)
    own = f'namespace="{namespace(overlay)}"'
    config["route"] = {
        "receiver": "null",
        "routes": [config["route"] | {"matchers": [own], "continue": True}],
    }
    for one in config["inhibit_rules"]:
        one |= {
            "source_matchers": [own, *one["source_matchers"]],
            "target_matchers": [own, *one["target_matchers"]],
            "equal": ["namespace", *one["equal"]],
        }
    config["receivers"].append({"name": "null"})
    return config


def namespace(overlay: str) -> str:
    [one] = of(overlay, "Namespace")
    return one["metadata"]["name"]


@pytest.mark.parametrize("overlay", WATCHED)
def test_alertmanager_has_the_same_configuration_as_in_compose(
    overlay: str,
) -> None:
    configured = json.loads(
        json.dumps(in_alertmanagers_words(overlay)).replace(
            f"http://oncall.{namespace(overlay)}.svc:7095", "http://oncall:7095"
        )
    )
    assert configured == CONFIG


@pytest.mark.needs("amtool")
@pytest.mark.parametrize("overlay", WATCHED)
def test_every_alert_goes_to_the_on_call_server_by_the_operators_file(
    overlay: str, tmp_path: Path
) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(as_the_operator_makes_it(overlay)))
    amtool("check-config", str(file))
    groups = [group for one in of(overlay, "PrometheusRule") for group in one["spec"]["groups"]]
    judged = [rule for group in groups for rule in group["rules"]]
    judged = [rule for rule in judged if "alert" in rule]
    assert {rule["alert"] for rule in judged} == rules().keys()
    for rule in judged:
        labels = [
            f"{name}={value}"
            for name, value in {
                "alertname": rule["alert"],
                "service": "training",
                "region": "jabar",
                **rule["labels"],
            }.items()
        ]
        receiver = amtool("config", "routes", "test", f"--config.file={file}", *labels).strip()
        assert receiver == ("watchdog" if rule["alert"] == "Watchdog" else "oncall")
    assert (
        amtool(
            "config",
            "routes",
            "test",
            f"--config.file={file}",
            "alertname=ProcessDown",
            "severity=page",
            "namespace=another",
        ).strip()
        == "null"
    )


@pytest.mark.parametrize("overlay", WATCHED)
def test_the_on_call_server_runs_as_in_compose_as_a_single_replica(overlay: str) -> None:
    oncall = named(overlay, "Deployment", "oncall")
    compose = COMPOSE["oncall"]
    pod = oncall["spec"]["template"]["spec"]
    one = container(oncall)
    assert (oncall["spec"]["replicas"], oncall["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert (one["command"], one["args"]) == (compose["entrypoint"], compose["command"])
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    places = {mount["mountPath"]: mount for mount in one["volumeMounts"]}
    assert claims[places["/book"]["name"]] in {
        claim["metadata"]["name"] for claim in of(overlay, "PersistentVolumeClaim")
    }
    assert [
        one[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    ] == [{"path": "/readyz", "port": "http"}] * 3
    assert [str(port["containerPort"]) for port in one["ports"]] == [compose["command"][-1]]


@pytest.mark.parametrize("overlay", WATCHED)
def test_the_on_call_schedule_comes_from_the_store_of_secrets(
    overlay: str,
) -> None:
    oncall = named(overlay, "Deployment", "oncall")
    [secret] = files(oncall)
    [outside] = [
        one for one in of(overlay, "ExternalSecret") if one["spec"]["target"]["name"] == secret
    ]
    assert [one["extract"]["key"] for one in outside["spec"]["dataFrom"]] == ["bina/oncall"]
    [mounted] = [
        mount["mountPath"] for mount in container(oncall)["volumeMounts"] if mount.get("readOnly")
    ]
    assert container(oncall)["args"][0] == f"{mounted}/oncall.toml"
    assert not [one for one in of(overlay, "ConfigMap") if "mailto:" in yaml.safe_dump(one)]


@pytest.mark.parametrize("overlay", WATCHED)
def test_the_on_call_server_is_reachable_where_needed_and_nowhere_else(
    overlay: str,
) -> None:
    oncall = named(overlay, "Deployment", "oncall")
    service = named(overlay, "Service", "oncall")["spec"]
    policy = named(overlay, "NetworkPolicy", "oncall")["spec"]
    labels = oncall["spec"]["template"]["metadata"]["labels"]
    assert service["selector"] == policy["podSelector"]["matchLabels"] == labels
    assert app(oncall) == "oncall"
    [port] = service["ports"]
    for hook in (
        hook
        for one in named(overlay, "AlertmanagerConfig", "bina")["spec"]["receivers"]
        for hook in one["webhookConfigs"]
    ):
        assert hook["url"].startswith(f"http://oncall.{namespace(overlay)}.svc:{port['port']}/")
    [coming] = policy["ingress"]
    assert {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in coming["from"]
    } == {"monitoring", "ingress-nginx"}
    assert [one["port"] for one in coming["ports"]] == [port["port"]]
    [going] = policy["egress"]
    assert {one["port"] for one in going["ports"]} == {25, 443, 587}
    [rule] = named(overlay, "Ingress", "oncall")["spec"]["rules"]
    assert {(one["path"], one["pathType"]) for one in rule["http"]["paths"]} == {
        ("/notices", "Prefix"),
        ("/readyz", "Exact"),
    }
    assert all(
        one["backend"]["service"] == {"name": "oncall", "port": {"name": port["name"]}}
        for one in rule["http"]["paths"]
    )


@pytest.fixture
def receiver() -> Iterator[NotificationReceiver]:
    with NotificationReceiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


@pytest.mark.needs("prometheus-alertmanager")
def test_an_unacknowledged_alert_reaches_the_next_person_on_call(
    receiver: NotificationReceiver, tmp_path: Path
) -> None:
    alertmanager, oncall = (
        f"{platform_checks.LOOPBACK}:{port}" for port in platform_checks.find_free_ports(2)
    )
    config = yaml.safe_dump(as_the_operator_makes_it("region")).replace(
        "oncall.bina.svc:7095", oncall
    )
    (tmp_path / "alertmanager.yml").write_text(
        re.sub(r"(group_wait|group_interval): \S+", r"\1: 1s", config)
    )
    duty = (
        (ROOT / "deploy/monitoring/oncall.toml")
        .read_text()
        .replace("http://127.0.0.1:7095", f"http://{oncall}")
        .replace("page = 15", "page = 0.02")
    )
    (tmp_path / "oncall.toml").write_text(
        re.sub(
            r'"mailto:([\w-]+)@bina.example"',
            rf'"http://127.0.0.1:{receiver.server_port}/\1"',
            duty,
        )
    )
    command = container(named("region", "Deployment", "oncall"))["command"]
    host, port = oncall.split(":")
    binary = shutil.which("prometheus-alertmanager")
    assert binary
    running = [
        processes.spawn(
            [
                sys.executable,
                *command[1:],
                str(tmp_path / "oncall.toml"),
                str(tmp_path / "book.json"),
                host,
                port,
            ],
            tmp_path / "oncall.log",
            cwd=ROOT,
        ),
        processes.spawn(
            [
                binary,
                f"--config.file={tmp_path}/alertmanager.yml",
                f"--storage.path={tmp_path}/am",
                f"--web.listen-address={alertmanager}",
                "--cluster.listen-address=",
            ],
            tmp_path / "alertmanager.log",
        ),
    ]
    try:
        eventually(
            lambda: (
                _posted(alertmanager, "another", "marketplace")
                and _posted(alertmanager, "bina", "training")
            )
        )
        order = oncall_file.read_schedule(tmp_path / "oncall.toml").turns[-1].order
        eventually(lambda: [person for person, _ in receiver.heard[:2]] == list(order[:2]))
        assert all("jabar: training tidak menjawab" in text for _, text in receiver.heard)
        link = receiver.heard[-1][1].rpartition(": ")[2]
        taken = urllib.request.urlopen(  # noqa: S310 - our own server
            f"{link}/acknowledgement", data=urllib.parse.urlencode({"by": "Rina"}).encode()
        )
        assert "Rina" in taken.read().decode()
    finally:
        for child in running:
            processes.end(child)


def _posted(alertmanager: str, space: str, service: str) -> bool:
    """Post an alert as Prometheus of the cluster would; whether it was taken."""
    rule = rules()["ProcessDown"]
    annotations: dict[str, Any] = {
        name: text.replace("{{ $labels.service }}", service)
        for name, text in rule["annotations"].items()
    }
    labels = {
        "alertname": "ProcessDown",
        "namespace": space,
        "region": "jabar",
        "service": service,
        **rule["labels"],
    }
    body = json.dumps(
        [
            {
                "labels": labels,
                "annotations": annotations,
                "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
        ]
    ).encode()
    asked = urllib.request.Request(
        f"http://{alertmanager}/api/v2/alerts",
        data=body,
        headers={"content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own server
            return answer.status == 200
    except OSError:
        return False
