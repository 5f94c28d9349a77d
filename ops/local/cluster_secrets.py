"""Random secrets for trying Bina out in a cluster, as Kubernetes objects on stdout.

Not here: secrets of production, which come from an external store (deploy/k8s/components).
"""

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ops.local import secrets, topology

_EXCLUDED_FILES = {"mongo-password"}  # the service's settings do not read it


def build_secrets(directory: Path, namespace: str) -> list[dict[str, Any]]:
    """Return `<service>-secrets`, `<service>-mongo-password` and `trusted-keys`.

    The secrets are made below the directory and stay there: a second call returns the same ones.
    """
    secrets.make_secrets(directory)
    objects = [_build_secret("trusted-keys", namespace, _read_files(directory / "trusted"))]
    for service in topology.PROCESSES:
        files = _read_files(directory / service.name)
        own = {name: content for name, content in files.items() if name not in _EXCLUDED_FILES}
        password = secrets.mongo_password(directory, service.name).encode()
        objects.append(_build_secret(f"{service.name}-secrets", namespace, own))
        objects.append(
            _build_secret(f"{service.name}-mongo-password", namespace, {"password": password})
        )
    return objects


def _read_files(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}


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
    """Print the objects for `kubectl apply -f -`.

    `python -m ops.local.cluster_secrets NAMESPACE [DIRECTORY]`; without a directory the secrets
    are new each time.
    """
    namespace = sys.argv[1]
    with tempfile.TemporaryDirectory() as fresh:
        arguments = sys.argv[2:]
        directory = Path(arguments[0] if arguments else fresh)
        items = build_secrets(directory, namespace)
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout)


if __name__ == "__main__":
    main()
