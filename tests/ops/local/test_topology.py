"""Variables of `build_environment` are what the settings read; secrets are private."""

import importlib
import os
import stat
from pathlib import Path

import pymongo
import pytest
from pymongo.errors import OperationFailure

from chassis.app.lifespan import ServiceRuntime
from chassis.settings import Settings
from ops.errors import OperatorError
from ops.local import mongo_users, secrets, topology

SETTINGS = {service.name: f"{service.module}.settings" for service in topology.PROCESSES}


def settings_of(
    service: topology.Service, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Return the settings that a service loads from its variables."""
    secrets.make_secrets(directory / "secrets")
    secrets.write_mongo_url(directory / "secrets", service.name, "mongodb://127.0.0.1/")
    for name, value in topology.build_environment(service, directory, "127.0.0.1:9092").items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module(SETTINGS[service.name])
    settings_class = next(
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, Settings)
        and found.prefix == f"{service.prefix}_"
    )
    return settings_class.load()


def life_of(
    service: topology.Service, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> ServiceRuntime:
    """Return the runtime of the service's app; its servers are out of reach."""
    return (
        importlib.import_module(f"{service.module}.app")
        .create_app(settings_of(service, directory, monkeypatch))
        .state.life
    )


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_a_service_can_start_with_its_variables(
    service: topology.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_of(service, tmp_path, monkeypatch).port == service.listener.port


@pytest.mark.parametrize("service", topology.PROCESSES, ids=lambda service: service.name)
def test_a_service_gives_a_password_to_kafka_once_one_was_made_for_it(
    service: topology.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_of(service, tmp_path, monkeypatch).kafka_password.get_secret_value() == ""
    password = secrets.kafka_password(tmp_path / "secrets", service.name)
    assert settings_of(service, tmp_path, monkeypatch).kafka_password.get_secret_value() == password


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    secrets.make_secrets(directory)
    first = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    secrets.make_secrets(directory)
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == first
    assert {stat.S_IMODE(path.stat().st_mode) for path in first} == {0o600}
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize("service", topology.SERVICES, ids=lambda service: service.name)
def test_a_service_listens_to_those_whose_topics_it_may_read(
    service: topology.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {f"{name}.events" for name in service.consumes} == set(
        life_of(service, tmp_path, monkeypatch).inbox.topics
    )


async def test_the_user_of_a_service_reaches_its_own_database_and_no_other(
    mongo_url: str, database: str
) -> None:
    own = await mongo_users.make_user(mongo_url, database, "first")
    renewed = await mongo_users.make_user(mongo_url, database, "second")
    with pymongo.MongoClient[dict[str, object]](renewed) as client:
        client.get_default_database()["things"].insert_one({"_id": 1})
        client.get_default_database().command("collMod", "things", validator={})
        for forbidden in (
            client["training"]["things"].find_one,
            client["admin"]["system.users"].find_one,
        ):
            with pytest.raises(OperationFailure, match="not authorized"):
                forbidden()
        with pytest.raises(OperationFailure, match="not authorized"):
            client.get_default_database().command("createUser", "another", pwd="x", roles=[])
    with (
        pymongo.MongoClient[dict[str, object]](own) as client,
        pytest.raises(OperationFailure, match="Authentication failed"),
    ):
        client.get_default_database()["things"].find_one()
    with pymongo.MongoClient[dict[str, object]](mongo_url) as client:
        client[database].command("dropUser", database)


def test_every_part_listens_on_ports_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BINA_")]:
        monkeypatch.delenv(name)
    ports = [
        *(port for service in topology.PROCESSES for port in topology.listening_ports(service)),
        topology.MONGOD.port,
        topology.KAFKA.port,
        topology.KAFKA_CONTROLLER.port,
    ]
    assert sorted(ports) == sorted(set(ports))
    monkeypatch.setenv("BINA_PORT", "20000")
    monkeypatch.setenv("BINA_TRAINING_PORT", "30000")
    assert (
        topology.GATEWAY.listener.port,
        topology.SERVICES[0].listener.port,
        topology.SERVICES[1].listener.port,
    ) == (20000, 30000, 20005)


@pytest.mark.parametrize("nonsense", ["http", "80", "70000", "-1"])
def test_an_invalid_port_is_refused_by_the_name_of_its_variable(
    nonsense: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BINA_PORT", nonsense)
    monkeypatch.delenv("BINA_KAFKA_PORT", raising=False)
    with pytest.raises(OperatorError, match="BINA_PORT"):
        _ = topology.KAFKA.port
