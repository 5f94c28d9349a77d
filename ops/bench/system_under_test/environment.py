"""The environment variables of a measured process, with throw-away secrets.

Not here: what the process does.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ops.local import secrets, topology

_SERVICES = {service.name: service for service in topology.SERVICES}
# The service without business rules runs under the names of these two.
WRITING = _SERVICES["training"]
READING = _SERVICES["certification"]
MANPOWER = _SERVICES["manpower"]
BENCH_PROCESSES = (WRITING, READING, MANPOWER, topology.GATEWAY)


def database_url(administrator_url: str, database: str) -> str:
    """Return the administrator's URL with this database as its default."""
    split = urlsplit(administrator_url)
    options = [option for option in split.query.split("&") if option]
    has_source = any(option.lower().startswith("authsource=") for option in options)
    if "@" in split.netloc and not has_source:
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
    """Return the environment of one process; the first call makes secrets in `directory`."""
    secrets.make_secrets(directory / "secrets", BENCH_PROCESSES)
    own = topology.build_environment(service, directory, kafka) | {
        f"{service.prefix}_MONGO_URL": mongo_url,
        f"{service.prefix}_NAMESPACE": namespace,
        f"{service.prefix}_PORT": str(port),
        f"{service.prefix}_LOG_LEVEL": "warning",
        "BINA_MONGO_DRIVER": driver,
    }
    return {**os.environ, **own}
