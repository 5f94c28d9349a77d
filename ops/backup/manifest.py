"""What a backup says of itself: cluster time, versions, counts, hash of every piece, fingerprints of the keys; signed. Not here: the pieces' content."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ops.errors import OperatorError
from ops.local import topology

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SIGNING_KEY = f"secrets/{topology.GATEWAY.name}/{topology.GATEWAY.name}_signing_key"  # the installation's own; its public half comes back with the keys, apart from the data


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One sealed file: some documents of one collection. `number` is unique in the backup; `size` in bytes of BSON, `sha256` of the sealed file."""

    number: int
    service: str
    collection: str
    documents: int
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """Its file beside the manifest."""
        return f"{self.service}/{self.number:08d}"

    def sealing_context(self, id_: str) -> str:
        """What its seal is bound to: moved to another place it does not open."""
        return f"{id_}/{self.service}/{self.collection}/{self.number}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was read or is about to be written."""

    content: dict[str, Any]

    @property
    def id(self) -> str:
        """The backup's own name."""
        return self.content["id"]

    @property
    def keys(self) -> dict[str, str]:
        """Fingerprints of the keys that the data needs, by name."""
        return self.content["keys"]

    @property
    def readers(self) -> dict[str, str]:
        """The backup's key, sealed for each reader, by the name of the reader's key."""
        return self.content["readers"]

    def read_pieces(self) -> Iterator[Piece]:
        """Every piece, in order."""
        return (Piece(**one) for one in self.content["pieces"])

    def count_documents(self) -> dict[str, Counter[str]]:
        """Documents by service and collection."""
        counted: dict[str, Counter[str]] = {
            service: Counter() for service in self.content["services"]
        }
        for piece in self.read_pieces():
            counted[piece.service][piece.collection] += piece.documents
        return counted

    def write(self, directory: Path, key_pem: bytes) -> None:
        """Write it below `place`, signed."""
        content = json.dumps(self.content, indent=1).encode()
        (directory / MANIFEST).write_bytes(content)
        (directory / SIGNATURE).write_text(_load_signing_key(key_pem).sign(content).hex())


def read_manifest(directory: Path) -> tuple[Manifest, bytes, bytes]:
    """The manifest below `place` with its bytes and signature, the form checked but not yet who signed it. OperatorError."""
    try:
        content, signature = (
            (directory / MANIFEST).read_bytes(),
            bytes.fromhex((directory / SIGNATURE).read_text()),
        )
        manifest = Manifest(cast("dict[str, Any]", json.loads(content)))
        whole = manifest.content["format"] == FORMAT and set(manifest.content["services"]) == {
            service.name for service in topology.PROCESSES
        }
        whole = (
            whole
            and bool(manifest.id and manifest.keys and manifest.readers)
            and sum(1 for _ in manifest.read_pieces()) == manifest.content["count"]
        )
    except FileNotFoundError as error:
        raise OperatorError(*_not_a_backup_message(directory)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(*_damaged_message(directory)) from error
    if not whole:
        raise OperatorError(*_damaged_message(directory))
    return manifest, content, signature


def require_signature(
    directory: Path, content: bytes, signature: bytes, keys: dict[str, bytes]
) -> None:
    """OperatorError unless the manifest was signed by the installation whose keys these are."""
    public: Ed25519PublicKey = _load_signing_key(keys[SIGNING_KEY]).public_key()
    try:
        public.verify(signature, content)
    except InvalidSignature as error:
        raise OperatorError(*_damaged_message(directory)) from error


def hash_bytes(content: bytes) -> str:
    """The hash that stands in the manifest."""
    return hashlib.sha256(content).hexdigest()


def _load_signing_key(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the installation's signing key is no Ed25519 key")
    return key


def _damaged_message(directory: Path) -> tuple[str, str]:
    return (
        f"Daftar isi {directory / MANIFEST} rusak, terpotong, diubah, atau dari pemasangan lain: cadangan ini tidak dipakai, tidak ada yang disentuh.",
        f"The manifest {directory / MANIFEST} is damaged, cut short, changed, or of another installation: this backup is not used, nothing was touched.",
    )


def _not_a_backup_message(directory: Path) -> tuple[str, str]:
    there = sorted(path.parent.name for path in directory.glob(f"*/{MANIFEST}"))
    return (
        f"Di {directory} tidak ada cadangan yang utuh ({MANIFEST}, {SIGNATURE}). "
        + (
            f"Pilih salah satu: {', '.join(there)}."
            if there
            else "Berikan direktori satu cadangan."
        ),
        f"There is no whole backup in {directory}. "
        + (f"Choose one of: {', '.join(there)}." if there else "Name the directory of one backup."),
    )
