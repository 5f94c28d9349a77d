"""docker-compose.yml is the same system as `./bina up`, with no open port and no password."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops.local import container_setup, kafka_admin, kafka_permissions, topology
from ops.local.state_dir import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
DOCKERFILES = {
    service.name: ROOT / service.module.replace(".", "/") / "Dockerfile"
    for service in topology.PROCESSES
}
SERVERS = ("mongo", "kafka")
JOBS = ("secrets", "mongo-users", "kafka-users", "whole")
BY_HAND = ("backup", "restore")
LASTING = (*SERVERS, *(service.name for service in topology.PROCESSES))
WATCHERS = ("prometheus", "alertmanager", "oncall", "grafana")
EXPORTERS = ("mongodb-exporter", "kafka-exporter", "node-exporter", "tls-exporter")
CONFINED = (*LASTING, *JOBS, *WATCHERS, *EXPORTERS, kafka_permissions.OPERATOR, *BY_HAND)
PORTS = {
    "port": container_setup.KAFKA_PORT,
    "administration": container_setup.KAFKA_ADMINISTRATION_PORT,
    "controller": container_setup.KAFKA_CONTROLLER_PORT,
}


HOST = "/"  # the disks of the host, for its exporter


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ()))


@pytest.mark.parametrize("name", CONFINED)
def test_a_container_is_confined_and_limited(name: str) -> None:
    here = SERVICES[name]
    assert (here["read_only"], here["cap_drop"], here["security_opt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
    )
    assert here["cpus"] > 0
    assert re.fullmatch(r"\d+[mg]", here["mem_limit"])
    assert 0 < here["pids_limit"] <= 1024
    assert all("size=" in place for place in here["tmpfs"]), (
        "what may be written in memory has a bound"
    )
    assert "privileged" not in here
    assert not [volume for volume in here.get("volumes", ()) if "docker.sock" in volume]


@pytest.mark.parametrize("name", LASTING)
def test_a_lasting_container_restarts_unprivileged_with_a_health_check(name: str) -> None:
    here = SERVICES[name]
    assert here["restart"] == "unless-stopped"
    assert int(here["user"].partition(":")[0]) > 0
    assert "cap_add" not in here
    assert here["healthcheck"]["test"][0] == "CMD"
    assert int(here["stop_grace_period"].removesuffix("s")) >= 30


@pytest.mark.parametrize("name", [*WATCHERS, *EXPORTERS])
def test_a_watching_container_restarts_and_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_and_may_only_change_the_owners_of_files(name: str) -> None:
    here = SERVICES[name]
    assert here["restart"] == "no"
    assert here["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    assert here["network_mode"] in {"none", "service:mongo", "service:kafka"}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_a_process_gets_the_same_variables_as_from_up(service: topology.Service) -> None:
    here = SERVICES[service.name]
    environment = cast("dict[str, str]", here["environment"])
    assert environment[f"{service.prefix}_PORT"] == service.listener.container_port
    for peer in topology.SERVICES:
        if peer is not service:
            assert (
                environment[f"{service.prefix}_{peer.prefix}_URL"]
                == f"http://{peer.name}:{peer.listener.container_port}"
            )
    assert {
        f"{service.prefix}_{name.upper()}" for name in service.directories
    } <= environment.keys()
    assert f"{service.name}-secrets:/secrets:ro" in here["volumes"]
    assert [
        volume
        for volume in here["volumes"]
        if "-secrets" in volume and not volume.startswith(service.name)
    ] == []
    probe = f"http://127.0.0.1:{service.container_probe_port}/readyz"
    assert probe in here["healthcheck"]["test"][-1]
    assert {
        name
        for name, needed in here["depends_on"].items()
        if needed["condition"] == "service_completed_successfully"
    } == {"mongo-users", "kafka-users", "whole"}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_a_process_sends_spans_only_to_a_collector_that_the_host_names(
    service: topology.Service,
) -> None:
    assert (
        SERVICES[service.name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
        == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"
    )


def test_only_gateway_dashboards_and_on_call_server_publish_local_ports() -> None:
    published = {name: here["ports"] for name, here in SERVICES.items() if "ports" in here}
    assert set(published) == {"gateway", "grafana", "prometheus", "oncall"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_only_networks_of_published_ports_have_a_route_outside() -> None:
    declared = cast("dict[str, dict[str, bool] | None]", COMPOSE["networks"])
    open_ones = {
        name for name, network in declared.items() if not (network and network["internal"])
    }
    assert open_ones == {"edge", "dashboards"}
    assert {name for name in LASTING if networks(name) & open_ones} == {"gateway"}
    assert (networks("mongo"), networks("kafka")) == ({"mongo"}, {"kafka"})
    assert {service.name: networks(service.name) - {"edge"} for service in topology.PROCESSES} == {
        service.name: {"calls", "kafka", "metrics", "mongo"} for service in topology.PROCESSES
    }
    assert "metrics" in networks("prometheus")
    assert not networks("prometheus") & {"calls", "kafka", "mongo", "edge"}
    assert [name for name in WATCHERS if "alerts" in networks(name)] == [
        "prometheus",
        "alertmanager",
        "oncall",
    ]
    assert networks("alertmanager") == {"alerts"}
    assert {name for name in SERVICES if not networks(name)} == set(JOBS)


def test_the_compose_file_holds_no_secret() -> None:
    names = [name for here in SERVICES.values() for name in here.get("environment", {})]
    assert [
        name
        for name in names
        if re.search(r"PASSWORD(?!_FILE)|SECRET(?!S_DIR|URITY)|_KEY$|TOKEN|JAAS", name)
    ] == []
    assert "environment" not in SERVICES["mongo"]


def test_jobs_see_all_secrets_and_a_server_only_its_own() -> None:
    everything = {volume.partition(":")[0] for volume in SERVICES["secrets"]["volumes"]}
    assert {
        name for name in COMPOSE["volumes"] if name.endswith(("-secrets", "-keys"))
    } - everything == {"issuer-keys"}
    assert everything - set(COMPOSE["volumes"]) == set()
    for server in SERVERS:
        assert {volume for volume in SERVICES[server]["volumes"] if "secrets" in volume} == {
            f"{server}-secrets:/secrets:ro"
        }


def test_the_operators_container_is_manual_and_reaches_only_kafka() -> None:
    here = SERVICES[kafka_permissions.OPERATOR]
    assert (here["profiles"], here["restart"], networks(kafka_permissions.OPERATOR)) == (
        ["operator"],
        "no",
        {"kafka"},
    )
    assert (here["volumes"], here["image"]) == (
        ["operator-secrets:/secrets:ro"],
        SERVICES["kafka"]["image"],
    )
    assert (
        int(here["user"].partition(":")[0])
        == container_setup.OWNERS[kafka_permissions.OPERATOR]
        > 0
    )
    users: dict[str, str] = {}
    for name in SERVICES.keys() - {*JOBS}:
        for volume in SERVICES[name].get("volumes", ()):
            if volume.startswith(("operator-", "restorer-", "keeper-")):
                users[name] = volume
    assert users == {
        "operator": "operator-secrets:/secrets:ro",
        "backup": "keeper-secrets:/keeper:ro",
        "restore": "restorer-secrets:/bina",
    }


@pytest.mark.parametrize("name", BY_HAND)
def test_backup_and_restore_are_manual_and_find_every_key(
    name: str,
) -> None:
    here = SERVICES[name]
    assert (here["profiles"], here["restart"], here["user"]) == (
        [name],
        "no",
        f"{container_setup.SERVICE_UID}:{container_setup.SERVICE_UID}",
    )
    assert here["entrypoint"] == ["python", "-m", "ops.cli", name]
    assert not here.keys() & {"cap_add", "ports", "network_mode"}
    assert networks(name) == {"backup": {"mongo"}, "restore": {"mongo", "kafka"}}[name]
    volumes = {target: volume for volume, target in (one.split(":")[:2] for one in here["volumes"])}
    for service in topology.PROCESSES:
        assert volumes.pop(f"/bina/secrets/{service.name}") == f"{service.name}-secrets"
        for directory in service.directories:
            of_service = {
                target: volume
                for volume, target in (
                    one.split(":")[:2] for one in SERVICES[service.name]["volumes"]
                )
            }
            assert (
                volumes.pop(f"/bina/{service.name}/{directory}")
                == of_service[
                    SERVICES[service.name]["environment"][f"{service.prefix}_{directory.upper()}"]
                ]
            )
    assert (
        volumes
        == {
            "backup": {"/keeper": "keeper-secrets"},
            "restore": {"/bina": "restorer-secrets", "/bina/secrets/trusted": "trusted-keys"},
        }[name]
    )
    assert {one.endswith(":ro") for one in here["volumes"]} == {name == "backup"}
    files = {
        variable: value
        for variable, value in here["environment"].items()
        if variable.endswith("_FILE")
    }
    of_kafka = {"BINA_KAFKA_PASSWORD_FILE": "/bina/kafka_password"}
    assert (
        files
        == {
            "backup": {"BINA_MONGO_URL_FILE": "/keeper/mongo_url"},
            "restore": {"BINA_MONGO_URL_FILE": "/bina/mongo_url"} | of_kafka,
        }[name]
    )


def test_the_job_makes_a_password_and_a_client_file_for_each_person_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_setup, "SECRETS_DIRECTORY", tmp_path)
    owners = dict[str, int]()

    def owned(path: Path, uid: int, _gid: int) -> None:
        owners[str(path.relative_to(tmp_path))] = uid

    monkeypatch.setattr(container_setup.os, "chown", owned)
    for name in ("mongo", "kafka"):
        (tmp_path / name).mkdir()
    container_setup.make_secrets()
    made = {
        person: (tmp_path / person / "kafka_password").read_text()
        for person in kafka_permissions.PEOPLE
    }
    assert len({*made.values()}) == 2
    for person, password in made.items():
        file = tmp_path / person / "client.properties"
        assert f'username="{person}" password="{password}"' in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
        assert (
            owners[f"{person}/client.properties"]
            == owners[f"{person}/kafka_password"]
            == {"operator": 1000, "restorer": 10001}[person]
        )
    container_setup.make_secrets()
    assert made == {person: (tmp_path / person / "kafka_password").read_text() for person in made}


def test_the_broker_of_compose_authenticates_and_creates_no_topic_itself() -> None:
    shared = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/compose/kafka.properties").read_text().splitlines()
        if not line.startswith("#")
    )
    added = dict(
        line.split("=", 1)
        for line in kafka_admin.settings(
            "secret",
            host="0.0.0.0",  # noqa: S104 - inside its container
            known_as="kafka",
            **PORTS,
        ).splitlines()
    )
    assert shared.keys() & added.keys() == set()
    assert shared["auto.create.topics.enable"] == "false"
    assert added["allow.everyone.if.no.acl.found"] == "false"
    assert added["super.users"] == f"User:{kafka_admin.ADMINISTRATOR}"
    outside = [
        listener for listener in added["listeners"].split(",") if "//127.0.0.1:" not in listener
    ]
    assert outside == [f"SERVICES://0.0.0.0:{container_setup.KAFKA_PORT}"]
    assert added["listener.name.services.sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert {
        listener.partition(":")[2]
        for listener in added["listener.security.protocol.map"].split(",")
    } == {"SASL_PLAINTEXT"}
    assert COMPOSE["x-shared"]["BINA_KAFKA"] == f"kafka:{container_setup.KAFKA_PORT}"
    assert (
        f"/dev/tcp/127.0.0.1/{container_setup.KAFKA_PORT}"
        in (ROOT / "deploy/compose/kafka-answers").read_text()
    )


@pytest.mark.parametrize("name", CONFINED)
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, _, rest = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).partition(":")
        assert (
            (ROOT / source).exists() and rest.endswith(":ro")
            if source.startswith("./")
            else source in {*COMPOSE["volumes"], HOST}
        )


def test_prometheus_scrapes_every_process_at_its_probe_port() -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    expected = {
        f"{service.name}:{topology.BASE_PORT + service.listener.offset + service.probe_offset}"
        for service in topology.PROCESSES
    }
    assert set(config["scrape_configs"][0]["static_configs"][0]["targets"]) == expected
