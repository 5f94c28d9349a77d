"""What a process of the measured service is told: its environment, with throw-away secrets. Not here: what it does with it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ops.local import secrets, topology

WRITING, READING = (
    service for service in topology.SERVICES if service.name in {"training", "certification"}
)
BENCH_PROCESSES = (WRITING, READING, topology.GATEWAY)


def database_url(administrator_url: str, database: str) -> str:
    """The administrator's URL with this database as the one that is meant."""
    split = urlsplit(administrator_url)
    options = [option for option in split.query.split("&") if option]
    if "@" in split.netloc and not any(
        option.lower().startswith("authsource=") for option in options
    ):
        options.append("authSource=admin")
    return urlunsplit((split.scheme, split.netloc, f"/{database}", "&".join(options), ""))


def build_environment(
    service: topology.Service,
    directory: Path,
    *,
    mongo_url: str,
    kafka: str,
    driver: str,
    namespace: str,
    port: int = 0,
) -> dict[str, str]:
    """The whole environment of one process; secrets are made under `place` at the first call."""
    secrets.make_secrets(directory / "secrets", BENCH_PROCESSES)
    told = topology.build_environment(service, directory, kafka) | {
        f"{service.prefix}_MONGO_URL": mongo_url,
        f"{service.prefix}_NAMESPACE": namespace,
        f"{service.prefix}_PORT": str(port),
        f"{service.prefix}_LOG_LEVEL": "warning",
        "BINA_MONGO_DRIVER": driver,
    }
    return {**os.environ, **told}
