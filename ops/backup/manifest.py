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

from ops.errors import Trouble
from ops.local import topology

FORMAT = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
SIGNED_BY = f"secrets/{topology.GATEWAY.name}/{topology.GATEWAY.name}_signing_key"  # the installation's own; its public half comes back with the keys, apart from the data


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

    def place(self, id_: str) -> str:
        """What its seal is bound to: moved to another place it does not open."""
        return f"{id_}/{self.service}/{self.collection}/{self.number}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was read or is about to be written."""

    told: dict[str, Any]

    @property
    def id(self) -> str:
        """The backup's own name."""
        return self.told["id"]

    @property
    def keys(self) -> dict[str, str]:
        """Fingerprints of the keys that the data needs, by name."""
        return self.told["keys"]

    @property
    def readers(self) -> dict[str, str]:
        """The backup's key, sealed for each reader, by the name of the reader's key."""
        return self.told["readers"]

    def pieces(self) -> Iterator[Piece]:
        """Every piece, in order."""
        return (Piece(**one) for one in self.told["pieces"])

    def counts(self) -> dict[str, Counter[str]]:
        """Documents by service and collection."""
        counted: dict[str, Counter[str]] = {service: Counter() for service in self.told["services"]}
        for piece in self.pieces():
            counted[piece.service][piece.collection] += piece.documents
        return counted

    def write(self, place: Path, key_pem: bytes) -> None:
        """Write it below `place`, signed."""
        content = json.dumps(self.told, indent=1).encode()
        (place / MANIFEST).write_bytes(content)
        (place / SIGNATURE).write_text(_signer(key_pem).sign(content).hex())


def read(place: Path) -> tuple[Manifest, bytes, bytes]:
    """The manifest below `place` with its bytes and signature, the form checked but not yet who signed it. Trouble."""
    try:
        content, signature = (
            (place / MANIFEST).read_bytes(),
            bytes.fromhex((place / SIGNATURE).read_text()),
        )
        manifest = Manifest(cast("dict[str, Any]", json.loads(content)))
        whole = manifest.told["format"] == FORMAT and set(manifest.told["services"]) == {
            service.name for service in topology.OURS
        }
        whole = (
            whole
            and bool(manifest.id and manifest.keys and manifest.readers)
            and sum(1 for _ in manifest.pieces()) == manifest.told["count"]
        )
    except FileNotFoundError as error:
        raise Trouble(*_not_a_backup(place)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Trouble(*_damaged(place)) from error
    if not whole:
        raise Trouble(*_damaged(place))
    return manifest, content, signature


def require_signed(place: Path, content: bytes, signature: bytes, keys: dict[str, bytes]) -> None:
    """Trouble unless the manifest was signed by the installation whose keys these are."""
    public: Ed25519PublicKey = _signer(keys[SIGNED_BY]).public_key()
    try:
        public.verify(signature, content)
    except InvalidSignature as error:
        raise Trouble(*_damaged(place)) from error


def sha256(content: bytes) -> str:
    """The hash that stands in the manifest."""
    return hashlib.sha256(content).hexdigest()


def _signer(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("the installation's signing key is no Ed25519 key")
    return key


def _damaged(place: Path) -> tuple[str, str]:
    return (
        f"Daftar isi {place / MANIFEST} rusak, terpotong, diubah, atau dari pemasangan lain: cadangan ini tidak dipakai, tidak ada yang disentuh.",
        f"The manifest {place / MANIFEST} is damaged, cut short, changed, or of another installation: this backup is not used, nothing was touched.",
    )


def _not_a_backup(place: Path) -> tuple[str, str]:
    there = sorted(path.parent.name for path in place.glob(f"*/{MANIFEST}"))
    return (
        f"Di {place} tidak ada cadangan yang utuh ({MANIFEST}, {SIGNATURE}). "
        + (
            f"Pilih salah satu: {', '.join(there)}."
            if there
            else "Berikan direktori satu cadangan."
        ),
        f"There is no whole backup in {place}. "
        + (f"Choose one of: {', '.join(there)}." if there else "Name the directory of one backup."),
    )
