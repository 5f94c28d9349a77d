"""What a process of the measured service is told: its environment, with throw-away secrets. Not here: what it does with it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ops.local import secrets, topology

WRITING, READING = (
    service for service in topology.SERVICES if service.name in {"training", "certification"}
)
OURS = (WRITING, READING, topology.GATEWAY)


def url_of(administrator: str, database: str) -> str:
    """The administrator's URL with this database as the one that is meant."""
    split = urlsplit(administrator)
    options = [option for option in split.query.split("&") if option]
    if "@" in split.netloc and not any(
        option.lower().startswith("authsource=") for option in options
    ):
        options.append("authSource=admin")
    return urlunsplit((split.scheme, split.netloc, f"/{database}", "&".join(options), ""))


def environment(
    service: topology.Service,
    place: Path,
    *,
    mongo_url: str,
    kafka: str,
    driver: str,
    namespace: str,
    port: int = 0,
) -> dict[str, str]:
    """The whole environment of one process; secrets are made under `place` at the first call."""
    secrets.make(place / "secrets", OURS)
    told = topology.settings_of(service, place, kafka) | {
        f"{service.prefix}_MONGO_URL": mongo_url,
        f"{service.prefix}_NAMESPACE": namespace,
        f"{service.prefix}_PORT": str(port),
        f"{service.prefix}_LOG_LEVEL": "warning",
        "BINA_MONGO_DRIVER": driver,
    }
    return {**os.environ, **told}
