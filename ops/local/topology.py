"""The one table of what runs: parts, ports, secrets, who is told what. Not here: how anything is started."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperatorError
from ops.local import platform_checks

BASE_PORT = 7080


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A loopback port: `base + offset`, or the one its own variable names."""

    name: str
    offset: int

    @property
    def variable(self) -> str:
        """The environment variable that moves this one port."""
        return f"BINA_{self.name.upper().replace('-', '_')}_PORT"

    @property
    def port(self) -> int:
        """The port in force. Raises OperatorError when it is no port number."""
        own = os.environ.get(self.variable)
        return (
            _parse_port(self.variable, own)
            if own
            else _parse_port("BINA_PORT", os.environ.get("BINA_PORT") or str(BASE_PORT))
            + self.offset
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process of ours: `python -m <module>`, told by `<NAME>_...`, with a database of its own."""

    name: str
    module: str
    listener: Listener
    keys: tuple[
        str, ...
    ] = ()  # 32 random bytes each, as hex text, beside the audit key that all have
    signing_keys: tuple[str, ...] = ()  # Ed25519 beside the one that signs its calls to the others
    directories: tuple[str, ...] = ()  # kept between starts, for its owner only
    consumes: tuple[str, ...] = ()  # whose events it reads
    probe_offset: int = 0  # where it tells how it is, counted from its port

    @property
    def prefix(self) -> str:
        """What its variables begin with."""
        return self.name.upper()

    @property
    def probe_port(self) -> int:
        """The port of /readyz, /statusz and /metrics."""
        return self.listener.port + self.probe_offset


HOST_GROUPS = (
    "staff",
    "shop",
    "certificate",
    "partner",
)  # in the order of their ports, from the gateway's own
MONGOD = Listener(name="mongo", offset=10)
KAFKA = Listener(name="kafka", offset=11)
KAFKA_CONTROLLER = Listener(name="kafka-controller", offset=12)

SERVICES = (
    Service(
        name="training",
        module="services.training",
        listener=Listener(name="training", offset=4),
        keys=("master_key", "lookup_key"),
        consumes=("training", "certification", "manpower"),
    ),
    Service(
        name="certification",
        module="services.certification",
        listener=Listener(name="certification", offset=5),
        keys=("name_key",),
        directories=("keys_dir",),
        consumes=("training",),
    ),
    Service(
        name="marketplace",
        module="services.marketplace",
        listener=Listener(name="marketplace", offset=6),
        keys=("sandbox_key",),
        consumes=("training",),
    ),
    Service(
        name="manpower",
        module="services.manpower",
        listener=Listener(name="manpower", offset=7),
        keys=("cursor_key",),
        consumes=("training", "certification", "marketplace"),
    ),
)
GATEWAY = Service(
    name="gateway",
    module="gateway",
    listener=Listener(name="gateway", offset=0),
    signing_keys=("development_key", "issuer_key"),
    probe_offset=9,
)
PROCESSES = (*SERVICES, GATEWAY)


def gateway_addresses() -> dict[str, str]:
    """The doors of the gateway by host group."""
    return {
        group: f"http://{platform_checks.LOOPBACK}:{GATEWAY.listener.port + offset}"
        for offset, group in enumerate(HOST_GROUPS)
    }


def listening_ports(service: Service) -> tuple[int, ...]:
    """Every port that the service listens on."""
    first = service.listener.port
    return (
        (*range(first, first + len(HOST_GROUPS)), service.probe_port)
        if service is GATEWAY
        else (first,)
    )


def build_environment(service: Service, directory: Path, kafka: str) -> dict[str, str]:
    """The environment that this service adds to ours, its files lying under `place`; secrets are files, so that no process list shows them."""
    secrets = directory / "secrets"
    told = {
        "BINA_ENVIRONMENT": "development",
        "BINA_KAFKA": kafka,
        f"{service.prefix}_PORT": str(service.listener.port),
        f"{service.prefix}_SECRETS_DIR": str(secrets / service.name),
        f"{service.prefix}_TRUSTED_KEYS": str(secrets / "trusted"),
    }
    told |= {
        f"{service.prefix}_{peer.prefix}_URL": f"http://{platform_checks.LOOPBACK}:{peer.probe_port}"
        for peer in PROCESSES
        if peer is not service
    }
    return told | {
        f"{service.prefix}_{name.upper()}": str(directory / service.name / name)
        for name in service.directories
    }


def require_known(name: str, known_names: Iterable[str]) -> str:
    """The name, when it is one of the known. Raises OperatorError that lists them."""
    names = sorted(known_names)
    if name not in names:
        raise OperatorError(
            f"Tidak ada bagian {name!r}; yang ada: {', '.join(names)}.",
            f"There is no part {name!r}; there are: {', '.join(names)}.",
        )
    return name


def _parse_port(variable: str, value: str) -> int:
    if value.isdecimal() and 1024 <= int(value) <= 65000:  # noqa: PLR2004 - unprivileged, with room for the offsets
        return int(value)
    raise OperatorError(
        f"{variable}={value!r} bukan nomor porta: pilih antara 1024 dan 65000.",
        f"{variable}={value!r} is no port number: choose one from 1024 to 65000.",
    )
