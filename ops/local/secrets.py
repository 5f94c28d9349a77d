"""Secrets of the local system: random, made once, readable by their owner only.

Not here: secrets of production, which come from a secret store.
"""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ops.local import secret_files, topology

_ADMINISTRATOR = "mongo-administrator"
_KEY_BYTES = 32
_PASSWORD_BYTES = 24


def make_secrets(
    directory: Path, services: tuple[topology.Service, ...] = topology.PROCESSES
) -> None:
    """Make missing secrets below the directory; existing ones stay.

    The files are `<service>/<service>_<secret>` and `trusted/<service>.pem`.
    """
    trusted = directory / "trusted"
    trusted.mkdir(mode=0o700, parents=True, exist_ok=True)
    for service in services:
        own = directory / service.name
        own.mkdir(mode=0o700, exist_ok=True)
        for name in ("signing_key", *service.signing_keys):
            _write_once(own / f"{service.name}_{name}", _generate_ed25519_pem())
        for name in ("audit_key", *service.keys):
            _write_once(own / f"{service.name}_{name}", secrets.token_hex(_KEY_BYTES))
        _write_once(own / "mongo-password", secrets.token_hex(_PASSWORD_BYTES))
        public_key = _public_pem(own / f"{service.name}_signing_key")
        secret_files.write_private(trusted / f"{service.name}.pem", public_key)


def administrator_password(directory: Path, name: str = _ADMINISTRATOR) -> str:
    """Return a person's password, made if missing; by default the MongoDB administrator's."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_once(directory / name, secrets.token_hex(_PASSWORD_BYTES))
    return (directory / name).read_text()


def mongo_password(directory: Path, service: str) -> str:
    """Return the password of a service's MongoDB user."""
    return (directory / service / "mongo-password").read_text()


def kafka_password(directory: Path, service: str) -> str:
    """Return the password of a service's Kafka user, made if missing.

    Call it only for a broker with authentication: a service sends the password if the file exists.
    """
    path = directory / service / f"{service}_kafka_password"
    _write_once(path, secrets.token_hex(_PASSWORD_BYTES))
    return path.read_text()


def write_mongo_url(directory: Path, service: str, url: str) -> None:
    """Write a service's MongoDB URL among its secrets; its port may differ at each start."""
    secret_files.write_private(directory / service / f"{service}_mongo_url", url)


def _write_once(path: Path, value: str) -> None:
    if not path.exists():
        secret_files.write_private(path, value)


def _generate_ed25519_pem() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public_pem(private_key: Path) -> str:
    key = load_pem_private_key(private_key.read_bytes(), password=None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
