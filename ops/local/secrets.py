"""Secrets of the local system: random, made once, readable by their owner only. Not here: secrets of production, which its operators make."""

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


def make_secrets(
    directory: Path, services: tuple[topology.Service, ...] = topology.PROCESSES
) -> None:
    """Make what is missing under `place`: `<service>/<service>_<secret>` and `trusted/<service>.pem`; what is there stays."""
    (directory / "trusted").mkdir(mode=0o700, parents=True, exist_ok=True)
    for service in services:
        own = directory / service.name
        own.mkdir(mode=0o700, exist_ok=True)
        for name in ("signing_key", *service.signing_keys):
            _write_once(own / f"{service.name}_{name}", _generate_ed25519_pem())
        for name in ("audit_key", *service.keys):
            _write_once(own / f"{service.name}_{name}", secrets.token_hex(32))
        _write_once(own / "mongo-password", secrets.token_hex(24))
        signer = load_pem_private_key(
            (own / f"{service.name}_signing_key").read_bytes(), password=None
        )
        public = (
            signer.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        secret_files.write_private(directory / "trusted" / f"{service.name}.pem", public)


def administrator_password(directory: Path, name: str = _ADMINISTRATOR) -> str:
    """The password of an administrator or another person, by default of the embedded MongoDB's."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_once(directory / name, secrets.token_hex(24))
    return (directory / name).read_text()


def mongo_password(directory: Path, service: str) -> str:
    """The password of this service's MongoDB user."""
    return (directory / service / "mongo-password").read_text()


def kafka_password(directory: Path, service: str) -> str:
    """The password of this service's Kafka user, made when it is not there; only where the broker asks who comes, because the service tells it from then on."""
    path = directory / service / f"{service}_kafka_password"
    _write_once(path, secrets.token_hex(24))
    return path.read_text()


def write_mongo_url(directory: Path, service: str, url: str) -> None:
    """Leave the service's MongoDB URL where it looks for its secrets; the port in it may differ at each start."""
    secret_files.write_private(directory / service / f"{service}_mongo_url", url)


def _write_once(path: Path, value: str) -> None:
    if not path.exists():
        secret_files.write_private(path, value)


def _generate_ed25519_pem() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode()
    )
