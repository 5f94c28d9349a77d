"""The signed manifest of a backup.

It has the cluster time, versions, counts, the hash of every piece, and the fingerprints of the
keys that the data needs. Not here: the content of the pieces.
"""

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

FORMAT = 2
# Version 0.1.0 wrote files in a format of its own, not age.
_READER_OF_FORMAT = {1: "Bina 0.1.0"}
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
# The gateway's signing key. Its public half is restored with the keys, apart from the data.
SIGNING_KEY = f"secrets/{topology.GATEWAY.name}/{topology.GATEWAY.name}_signing_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One age file with some documents of one collection.

    `number` is unique in the backup, `size` in bytes of BSON, `sha256` of the age file.
    """

    number: int
    service: str
    collection: str
    documents: int
    size: int
    sha256: str

    @property
    def file(self) -> str:
        """Its path relative to the manifest."""
        return f"{self.service}/{self.number:08d}.age"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, read from a file or to be written."""

    content: dict[str, Any]

    @property
    def id(self) -> str:
        """The id of the backup, also the name of its directory."""
        return self.content["id"]

    @property
    def keys(self) -> dict[str, str]:
        """Fingerprints of the keys that the data needs, by name."""
        return self.content["keys"]

    @property
    def readers(self) -> list[str]:
        """The names of the public keys for which the pieces are encrypted."""
        return self.content["readers"]

    def read_pieces(self) -> Iterator[Piece]:
        """Yield every piece, in order."""
        return (Piece(**piece) for piece in self.content["pieces"])

    def count_documents(self) -> dict[str, Counter[str]]:
        """Return the number of documents by service and collection."""
        counts: dict[str, Counter[str]] = {
            service: Counter() for service in self.content["services"]
        }
        for piece in self.read_pieces():
            counts[piece.service][piece.collection] += piece.documents
        return counts

    def write(self, directory: Path, key_pem: bytes) -> None:
        """Write it with its signature."""
        content = json.dumps(self.content, indent=1).encode()
        (directory / MANIFEST).write_bytes(content)
        (directory / SIGNATURE).write_text(_load_signing_key(key_pem).sign(content).hex())


def read_manifest(directory: Path) -> tuple[Manifest, bytes, bytes]:
    """Return the manifest with its bytes and signature; the signature is not verified yet.

    Raises OperatorError when it is missing, malformed or incomplete.
    """
    try:
        content = (directory / MANIFEST).read_bytes()
        signature = bytes.fromhex((directory / SIGNATURE).read_text())
        manifest = Manifest(cast("dict[str, Any]", json.loads(content)))
        written_by = _READER_OF_FORMAT.get(manifest.content["format"])
        is_whole = written_by is None and _is_whole(manifest)
    except FileNotFoundError as error:
        raise OperatorError(*_not_a_backup_message(directory)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(*_damaged_message(directory)) from error
    if written_by is not None:
        raise OperatorError(
            f"Cadangan {directory} ditulis dan hanya dibaca oleh {written_by}: pulihkan dengan "
            "versi itu, perbarui, lalu cadangkan lagi.",
            f"The backup {directory} was written by {written_by}, and only that version reads it: "
            "restore it with that version, upgrade, then back up again.",
        )
    if not is_whole:
        raise OperatorError(*_damaged_message(directory))
    return manifest, content, signature


def _is_whole(manifest: Manifest) -> bool:
    services = {service.name for service in topology.PROCESSES}
    if manifest.content["format"] != FORMAT or set(manifest.content["services"]) != services:
        return False
    if not (manifest.id and manifest.keys and manifest.readers):
        return False
    return len(list(manifest.read_pieces())) == manifest.content["count"]


def require_signature(
    directory: Path, content: bytes, signature: bytes, keys: dict[str, bytes]
) -> None:
    """Raise OperatorError unless the signing key of `keys` made this signature."""
    public: Ed25519PublicKey = _load_signing_key(keys[SIGNING_KEY]).public_key()
    try:
        public.verify(signature, content)
    except InvalidSignature as error:
        raise OperatorError(*_damaged_message(directory)) from error


def hash_bytes(content: bytes) -> str:
    """Return the hash of a piece as the manifest has it."""
    return hashlib.sha256(content).hexdigest()


def _load_signing_key(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the installation's signing key is not an Ed25519 key")
    return key


def _damaged_message(directory: Path) -> tuple[str, str]:
    path = directory / MANIFEST
    indonesian = (
        f"Daftar isi {path} rusak, terpotong, diubah, atau dari pemasangan lain: cadangan ini "
        "tidak dipakai, tidak ada yang disentuh."
    )
    english = (
        f"The manifest {path} is damaged, truncated, changed, or of another installation: this "
        "backup is not used, nothing was changed."
    )
    return indonesian, english


def _not_a_backup_message(directory: Path) -> tuple[str, str]:
    backups = sorted(path.parent.name for path in directory.glob(f"*/{MANIFEST}"))
    choice = f"Pilih salah satu: {', '.join(backups)}."
    choice_in_english = f"Choose one of: {', '.join(backups)}."
    if not backups:
        choice = "Berikan direktori satu cadangan."
        choice_in_english = "Name the directory of one backup."
    files = f"{MANIFEST}, {SIGNATURE}"
    return (
        f"Di {directory} tidak ada cadangan yang utuh ({files}). {choice}",
        f"There is no complete backup in {directory} ({files}). {choice_in_english}",
    )
