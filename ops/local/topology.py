"""The topology table: every process, its ports, secrets, volumes, events and internal calls.

`./bina docs` renders topics, users, policies, compose and Kubernetes entries from this table.
Not here: how anything is started.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperatorError
from ops.local import platform_checks

BASE_PORT = 7080
_LOWEST_PORT = 1024  # below it a port needs privileges
_HIGHEST_PORT = 65000  # leaves room for the offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A loopback port: the base port plus an offset, or the value of its own variable."""

    name: str
    offset: int

    @property
    def variable(self) -> str:
        """The environment variable that moves this one port."""
        return f"BINA_{self.name.upper().replace('-', '_')}_PORT"

    @property
    def port(self) -> int:
        """The port. Raises OperatorError when a variable is not a port number."""
        own = os.environ.get(self.variable)
        if own:
            return _parse_port(self.variable, own)
        base = os.environ.get("BINA_PORT") or str(BASE_PORT)
        return _parse_port("BINA_PORT", base) + self.offset

    @property
    def container_port(self) -> int:
        """The port inside a container, where variables do not change it."""
        return BASE_PORT + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A directory that a service keeps between starts, readable by its owner only."""

    directory: str  # the service's setting; on one machine also the directory's name
    claim: str  # the volume in compose and the claim in Kubernetes
    mount_path: str  # inside the container


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One row: a process `python -m <module>` with settings `<NAME>_...` and its own database.

    `keys` are secrets of 32 random bytes as hex text, beside the audit key that every service has.
    `signing_keys` are Ed25519 keys, beside the one that signs calls to other services.
    """

    name: str
    module: str
    listener: Listener
    summary: str = ""
    keys: tuple[str, ...] = ()
    signing_keys: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    consumes: tuple[str, ...] = ()  # services whose events it reads
    calls: tuple[str, ...] = ()  # processes whose internal queries it may call
    probe_offset: int = 0  # probe_port minus the service's own port
    memory_mib: int = 512  # limit of its container, child processes included

    @property
    def prefix(self) -> str:
        """The prefix of its environment variables."""
        return self.name.upper()

    @property
    def directories(self) -> tuple[str, ...]:
        """The settings that name a directory kept between starts."""
        return tuple(volume.directory for volume in self.volumes)

    @property
    def topic(self) -> str:
        """The topic that the service publishes to."""
        return topic_of(self.name)

    @property
    def probe_port(self) -> int:
        """The port of /readyz, /statusz and /metrics, and of internal calls."""
        return self.listener.port + self.probe_offset

    @property
    def container_probe_port(self) -> int:
        """`probe_port` inside a container."""
        return self.listener.container_port + self.probe_offset


# In the order of their ports, from the gateway's own.
HOST_GROUPS = ("staff", "shop", "certificate", "partner")
MONGOD = Listener(name="mongo", offset=10)
KAFKA = Listener(name="kafka", offset=11)
KAFKA_CONTROLLER = Listener(name="kafka-controller", offset=12)

SERVICES = (
    Service(
        name="training",
        module="services.training",
        listener=Listener(name="training", offset=4),
        summary="participants, classes, identities",
        memory_mib=1024,  # the rows of a large list, and the child that reads it
        keys=("master_key", "lookup_key"),
        consumes=("training", "certification", "manpower"),
    ),
    Service(
        name="certification",
        module="services.certification",
        listener=Listener(name="certification", offset=5),
        summary="assessments, certificates, status lists",
        keys=("name_key",),
        # The issuers' private keys, shared by all pods; they are not in the database.
        volumes=(Volume(directory="keys_dir", claim="issuer-keys", mount_path="/keys"),),
        consumes=("training",),
        calls=("training",),
    ),
    Service(
        name="marketplace",
        module="services.marketplace",
        listener=Listener(name="marketplace", offset=6),
        summary="products, orders, the books",
        keys=("sandbox_key",),
        consumes=("training",),
    ),
    Service(
        name="manpower",
        module="services.manpower",
        listener=Listener(name="manpower", offset=7),
        summary="candidates, placements, the feed of the Dinas",
        consumes=("training", "certification", "marketplace"),
        calls=("training", "gateway"),
    ),
)
GATEWAY = Service(
    name="gateway",
    module="gateway",
    listener=Listener(name="gateway", offset=0),
    summary="the only entry for requests from outside",
    signing_keys=("development_key", "issuer_key"),
    calls=tuple(service.name for service in SERVICES),
    probe_offset=9,
)
PROCESSES = (*SERVICES, GATEWAY)


def topic_of(service_name: str) -> str:
    """Return the topic of a service."""
    return f"{service_name}.events"


def gateway_addresses() -> dict[str, str]:
    """Return the gateway's local address of each host group."""
    first = GATEWAY.listener.port
    return {
        group: f"http://{platform_checks.LOOPBACK}:{first + offset}"
        for offset, group in enumerate(HOST_GROUPS)
    }


def listening_ports(service: Service) -> tuple[int, ...]:
    """Return every port that the service listens on."""
    first = service.listener.port
    if service is not GATEWAY:
        return (first,)
    return (*range(first, first + len(HOST_GROUPS)), service.probe_port)


def build_environment(service: Service, directory: Path, kafka: str) -> dict[str, str]:
    """Return the variables of a service; `directory` is the state directory.

    Secrets are passed as files, because `ps e` shows the variables of a process.
    """
    secrets = directory / "secrets"
    environment = {
        "BINA_ENVIRONMENT": "development",
        "BINA_KAFKA": kafka,
        f"{service.prefix}_PORT": str(service.listener.port),
        f"{service.prefix}_SECRETS_DIR": str(secrets / service.name),
        f"{service.prefix}_TRUSTED_KEYS": str(secrets / "trusted"),
    }
    for other in PROCESSES:
        if other is not service:
            address = f"http://{platform_checks.LOOPBACK}:{other.probe_port}"
            environment[f"{service.prefix}_{other.prefix}_URL"] = address
    for name in service.directories:
        environment[f"{service.prefix}_{name.upper()}"] = str(directory / service.name / name)
    return environment


def require_known(name: str, known_names: Iterable[str]) -> str:
    """Return the name if it is known. Raises OperatorError with the known names."""
    names = sorted(known_names)
    if name not in names:
        raise OperatorError(
            f"Tidak ada bagian {name!r}; yang ada: {', '.join(names)}.",
            f"There is no process {name!r}; there are: {', '.join(names)}.",
        )
    return name


def _parse_port(variable: str, value: str) -> int:
    if value.isdecimal() and _LOWEST_PORT <= int(value) <= _HIGHEST_PORT:
        return int(value)
    raise OperatorError(
        f"{variable}={value!r} bukan nomor porta: pilih antara 1024 dan 65000.",
        f"{variable}={value!r} is not a port number: choose one from 1024 to 65000.",
    )
