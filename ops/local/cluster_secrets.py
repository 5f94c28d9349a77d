"""Secrets for trying Bina out in a cluster: random, as Kubernetes objects on stdout. Not here: secrets of production, which come from a store outside (deploy/k8s/components)."""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ops.local import secrets, topology

_EXCLUDED_FILES = {"mongo-password"}  # what the service's own settings do not read


def build_secrets(directory: Path, namespace: str) -> list[dict[str, Any]]:
    """`<service>-secrets`, `<service>-mongo-password` and `trusted-keys`, made under `place` and kept there, so that a second call gives the same."""
    secrets.make_secrets(directory)
    found = [
        _build_secret(
            "trusted-keys",
            namespace,
            {file.name: file.read_bytes() for file in sorted((directory / "trusted").iterdir())},
        )
    ]
    for service in topology.PROCESSES:
        own = {
            file.name: file.read_bytes()
            for file in sorted((directory / service.name).iterdir())
            if file.name not in _EXCLUDED_FILES
        }
        found.append(_build_secret(f"{service.name}-secrets", namespace, own))
        found.append(
            _build_secret(
                f"{service.name}-mongo-password",
                namespace,
                {"password": secrets.mongo_password(directory, service.name).encode()},
            )
        )
    return found


def _build_secret(name: str, namespace: str, files: dict[str, bytes]) -> dict[str, Any]:
    data = {file: base64.b64encode(content).decode() for file, content in files.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": data,
    }


def main() -> None:
    """`python -m ops.local.cluster_secrets NAMESPACE [DIRECTORY]`: for `kubectl apply -f -`; without a directory the secrets are new each time."""
    with tempfile.TemporaryDirectory() as fresh:
        made = build_secrets(Path(sys.argv[2] if sys.argv[2:] else fresh), sys.argv[1])
    json.dump({"apiVersion": "v1", "kind": "List", "items": made}, sys.stdout)


if __name__ == "__main__":
    main()
