"""The command `audit fingerprints`: the fingerprint of each service's signing key.

An inspector gets them on paper and compares them with an export. Not here: exports.
"""

from __future__ import annotations

import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from chassis.admin.audit_export.export import fingerprint
from ops.errors import OperatorError
from ops.json_output import print_json
from ops.local import state_dir, topology


def print_fingerprints(*, as_json: bool) -> int:
    """Print the fingerprints; return 0. Raises OperatorError before the keys are made."""
    fingerprints: dict[str, str] = {}
    for part in topology.PROCESSES:
        file = state_dir.path() / "secrets" / "trusted" / f"{part.name}.pem"
        if not file.exists():
            raise OperatorError(
                f"Kunci {part.name} belum ada: jalankan ./bina up",
                f"The key of {part.name} does not exist yet: run ./bina up",
            )
        key = load_pem_public_key(file.read_bytes())
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError(f"{file.name} is not an Ed25519 public key")
        fingerprints[part.name] = fingerprint(key)
    if as_json:
        print_json({"fingerprints": fingerprints})
        return 0
    sys.stdout.writelines(f"{name:<14}{value}\n" for name, value in fingerprints.items())
    return 0
