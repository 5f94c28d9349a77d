"""The images and docker-compose.yml are the same system as `./bina up`: same parts, same ports, nothing open, no password."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from ops.local import container_setup, kafka_admin, kafka_permissions, topology
from ops.local.state_dir import ROOT
from tests import container_jobs
from tests.deploy.test_locks import entries

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = cast("dict[str, dict[str, Any]]", COMPOSE["services"])
DOCKERFILES = {
    service.name: ROOT / service.module.replace(".", "/") / "Dockerfile"
    for service in topology.PROCESSES
}
SERVERS, JOBS = ("mongo", "kafka"), ("secrets", "mongo-users", "kafka-users", "whole")
BY_HAND = ("backup", "restore")
LASTING = (*SERVERS, *(service.name for service in topology.PROCESSES))
WATCHERS = ("prometheus", "alertmanager", "oncall", "grafana")
CONFINED = (*LASTING, *JOBS, *WATCHERS, kafka_permissions.OPERATOR, *BY_HAND)
PORTS = {
    "port": container_setup.KAFKA_PORT,
    "administration": container_setup.KAFKA_ADMINISTRATION_PORT,
    "controller": container_setup.KAFKA_CONTROLLER_PORT,
}


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
def test_what_lasts_comes_back_runs_as_nobody_special_and_says_how_it_is(name: str) -> None:
    here = SERVICES[name]
    assert here["restart"] == "unless-stopped"
    assert int(here["user"].partition(":")[0]) > 0
    assert "cap_add" not in here
    assert here["healthcheck"]["test"][0] == "CMD"
    assert int(here["stop_grace_period"].removesuffix("s")) >= 30


@pytest.mark.parametrize("name", WATCHERS)
def test_what_watches_comes_back_and_says_how_it_is(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_and_has_no_capability_but_to_hand_files_to_their_owners(name: str) -> None:
    here = SERVICES[name]
    assert here["restart"] == "no"
    assert here["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    assert here["network_mode"] in {"none", "service:mongo", "service:kafka"}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_a_part_of_ours_is_told_what_up_tells_it(service: topology.Service) -> None:
    here = SERVICES[service.name]
    told = cast("dict[str, str]", here["environment"])
    assert told[f"{service.prefix}_PORT"] == service.listener.offset + topology.BASE_PORT
    for peer in topology.SERVICES:
        if peer is not service:
            assert (
                told[f"{service.prefix}_{peer.prefix}_URL"]
                == f"http://{peer.name}:{topology.BASE_PORT + peer.listener.offset}"
            )
    assert {f"{service.prefix}_{name.upper()}" for name in service.directories} <= told.keys()
    assert f"{service.name}-secrets:/secrets:ro" in here["volumes"]
    assert [
        volume
        for volume in here["volumes"]
        if "-secrets" in volume and not volume.startswith(service.name)
    ] == []
    assert (
        f"http://127.0.0.1:{service.listener.offset + topology.BASE_PORT + service.probe_offset}/readyz"
        in here["healthcheck"]["test"][-1]
    )
    assert {
        name
        for name, needed in here["depends_on"].items()
        if needed["condition"] == "service_completed_successfully"
    } == {"mongo-users", "kafka-users", "whole"}


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_a_part_tells_its_spans_to_a_collector_that_the_host_names_and_to_none_without(
    service: topology.Service,
) -> None:
    assert (
        SERVICES[service.name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
        == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"
    )


def test_only_the_gateway_the_dashboards_and_the_oncall_are_reached_and_only_from_this_host() -> (
    None
):
    published = {name: here["ports"] for name, here in SERVICES.items() if "ports" in here}
    assert set(published) == {"gateway", "grafana", "prometheus", "oncall"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_every_network_is_for_one_need_and_only_those_that_publish_have_a_way_outside() -> None:
    declared = cast("dict[str, dict[str, bool] | None]", COMPOSE["networks"])
    open_ones = {
        name for name, network in declared.items() if not (network and network["internal"])
    }
    assert open_ones == {"door", "dashboards"}
    assert {name for name in LASTING if networks(name) & open_ones} == {"gateway"}
    assert (networks("mongo"), networks("kafka")) == ({"mongo"}, {"kafka"})
    assert {service.name: networks(service.name) - {"door"} for service in topology.PROCESSES} == {
        service.name: {"calls", "kafka", "metrics", "mongo"} for service in topology.PROCESSES
    }
    assert "metrics" in networks("prometheus")
    assert not networks("prometheus") & {"calls", "kafka", "mongo", "door"}
    assert [name for name in WATCHERS if "alerts" in networks(name)] == [
        "prometheus",
        "alertmanager",
        "oncall",
    ]
    assert networks("alertmanager") == {"alerts"}
    assert {name for name in SERVICES if not networks(name)} == set(JOBS)


def test_no_secret_stands_in_the_file() -> None:
    names = [name for here in SERVICES.values() for name in here.get("environment", {})]
    assert [
        name
        for name in names
        if re.search(r"PASSWORD(?!_FILE)|SECRET(?!S_DIR|URITY)|_KEY$|TOKEN|JAAS", name)
    ] == []
    assert "environment" not in SERVICES["mongo"]


def test_the_jobs_hand_each_secret_to_who_may_read_it_and_the_servers_see_their_own_only() -> None:
    everything = {volume.partition(":")[0] for volume in SERVICES["secrets"]["volumes"]}
    assert {
        name for name in COMPOSE["volumes"] if name.endswith(("-secrets", "-keys"))
    } - everything == {"issuer-keys"}
    assert everything - set(COMPOSE["volumes"]) == set()
    for server in SERVERS:
        assert {volume for volume in SERVICES[server]["volumes"] if "secrets" in volume} == {
            f"{server}-secrets:/secrets:ro"
        }


def test_a_person_who_looks_at_kafka_is_started_by_hand_comes_with_a_password_of_its_own_and_reaches_nothing_else() -> (
    None
):
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
    users = {
        name: volume
        for name, one in SERVICES.items()
        if name not in JOBS
        for volume in one.get("volumes", ())
        if volume.startswith(("operator-", "restorer-", "keeper-"))
    }
    assert users == {
        "operator": "operator-secrets:/secrets:ro",
        "backup": "keeper-secrets:/keeper:ro",
        "restore": "restorer-secrets:/bina",
    }


@pytest.mark.parametrize("name", BY_HAND)
def test_a_job_of_people_is_started_by_hand_finds_each_key_where_custody_looks_and_no_secret_but_in_a_file(
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


def test_the_image_of_backup_and_restore_holds_all_that_they_import_and_locks_its_packages(
    tmp_path: Path,
) -> None:
    assert {SERVICES[name]["build"]["dockerfile"] for name in BY_HAND} == {
        str(container_jobs.DOCKERFILE.relative_to(ROOT))
    }
    asked = "import json, sys; own = {*sys.modules}; import ops.cli, ops.backup.create, ops.backup.restore; print(json.dumps(sorted({*sys.modules} - own)))"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=container_jobs.image(tmp_path / "app"),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app/pyproject.toml").is_file(), "a backup says of which version it is"
    known = packages_distributions()
    imported = {
        name.lower()
        for module in json.loads(done.stdout)
        for name in known.get(module.partition(".")[0], ())
    }
    assert {"rich", "typer", "psutil"} <= imported
    locked = entries("requirements-runtime.lock") | entries("requirements-commands.lock")
    assert {name.replace("_", "-") for name in imported} <= locked.keys()
    assert "USER 10001" in (text := container_jobs.DOCKERFILE.read_text())
    assert "-r requirements-commands.lock" in text
    assert (
        "install -d -o bina -g bina -m 700 /bina /bina/certification /bina/certification/keys_dir"
        in text
    ), "whose a volume is that is new when a restore comes"


def test_the_job_makes_a_password_for_each_person_and_what_kafkas_tools_need_once(
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


def test_the_broker_of_compose_asks_who_comes_and_makes_no_topic_by_itself() -> None:
    shared = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/compose/kafka.properties").read_text().splitlines()
        if not line.startswith("#")
    )
    added = dict(
        line.split("=", 1)
        for line in kafka_admin.settings(
            "secret",
            host="0.0.0.0",  # noqa: S104 - of its container
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
def test_what_is_mounted_from_here_is_here(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source, _, rest = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).partition(":")
        assert (
            (ROOT / source).exists() and rest.endswith(":ro")
            if source.startswith("./")
            else source in COMPOSE["volumes"]
        )


def imported_ops_modules(module: str) -> set[str]:
    """The modules below `ops` that this one imports at its top, as dotted names."""
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text())
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ops"):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            names.add(node.module or "")
    return {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()}


def test_the_jobs_of_preparation_and_the_oncall_have_every_module_that_they_import() -> None:
    copied = {
        path.removesuffix(".py").replace("/", ".")
        for line in (ROOT / "deploy/compose/Dockerfile").read_text().splitlines()
        if line.startswith("COPY ops/") and ".py " in line
        for path in line.split()[1:-1]
    }
    needed = {"ops.__init__", "ops.local.__init__"}
    waiting = {"ops.local.container_setup"}
    while waiting:
        module = waiting.pop()
        needed.add(module)
        waiting |= imported_ops_modules(module) - needed
    assert copied == needed
    for path in (ROOT / "ops/oncall").glob("*.py"):
        imported = imported_ops_modules(f"ops.oncall.{path.stem}")
        assert {name for name in imported if not name.startswith("ops.oncall")} <= needed


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_an_image_holds_its_own_folder_and_what_all_stand_on_and_runs_as_nobody_special(
    service: topology.Service,
) -> None:
    lines = DOCKERFILES[service.name].read_text().splitlines()
    own = service.module.replace(".", "/")
    copied = [line for line in lines if line.startswith("COPY ")]
    assert copied == [
        "COPY requirements-runtime.lock .",
        "COPY chassis chassis",
        *(["COPY services/__init__.py services/"] if "/" in own else []),
        f"COPY {own} {own}",
    ]
    assert "FROM python:3.11-slim-bookworm" in lines
    assert "USER 10001" in lines
    assert f'CMD ["python", "-m", "{service.module}"]' in lines


def test_all_images_are_the_same_up_to_the_packages_so_that_a_host_keeps_one_copy() -> None:
    heads = {
        path.read_text().partition("\n")[2].partition("COPY chassis")[0]
        for path in [
            *DOCKERFILES.values(),
            ROOT / "deploy/compose/Dockerfile",
            container_jobs.DOCKERFILE,
        ]
    }
    assert len(heads) == 1


def test_prometheus_asks_every_part_where_it_tells_its_metrics() -> None:
    config: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    expected = {
        f"{service.name}:{topology.BASE_PORT + service.listener.offset + service.probe_offset}"
        for service in topology.PROCESSES
    }
    assert set(config["scrape_configs"][0]["static_configs"][0]["targets"]) == expected
