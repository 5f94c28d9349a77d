"""Verifies a backup before anything is changed: manifest, keys, signature and every piece.

Not here: the restore.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyrage import x25519
from rich.progress import Progress

from ops.backup import encryption, key_custody, manifest
from ops.backup.encryption import NotForUs
from ops.backup.manifest import Manifest, Piece
from ops.errors import OperatorError
from ops.language import choose

_LENGTH_BYTES = 4


def verify_backup(
    directory: Path,
    reader: x25519.Identity,
    custody_file: Path | None,
    holders: Sequence[Path],
    progress: Progress,
) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest and the keys of a complete and genuine backup.

    Raises OperatorError that says what is missing, damaged or of another installation.
    """
    backup, content, signature = manifest.read_manifest(directory)
    if custody_file is None:
        key_custody.require_keys(backup.keys, None)
        keys: dict[str, bytes] = {}
    else:
        private_keys = [encryption.private_key(path) for path in holders]
        keys = key_custody.open_custody(custody_file, private_keys)
    key_custody.require_keys(backup.keys, keys)
    manifest.require_signature(directory, content, signature, keys)
    _require_reader(backup, reader)
    description = choose("Memeriksa cadangan", "Verifying the backup")
    for piece in progress.track(list(backup.read_pieces()), description=description):
        read_piece(directory, backup, piece, reader)
    return backup, {name: keys[name] for name in backup.keys}


def _require_reader(backup: Manifest, reader: x25519.Identity) -> None:
    name = encryption.name_of(reader.to_public())
    if name not in backup.readers:
        readers = ", ".join(backup.readers)
        raise OperatorError(
            f"Kunci {name} tidak dapat membuka cadangan ini: ia dibuat untuk kunci {readers}.",
            f"Key {name} does not open this backup: it was made for {readers}.",
        )


def read_piece(
    directory: Path, backup: Manifest, piece: Piece, reader: x25519.Identity
) -> list[bytes]:
    """Return the BSON documents of one piece.

    Raises OperatorError when the piece is missing or differs from the manifest.
    """
    title = f"{piece.file} ({piece.service}.{piece.collection})"
    try:
        encrypted = (directory / piece.file).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"Potongan {title} dari cadangan {backup.id} tidak ada: cadangan ini tidak dipakai, "
            "tidak ada yang disentuh.",
            f"Piece {title} of backup {backup.id} is missing: this backup is not used, nothing "
            "was changed.",
        ) from error
    documents = _open_piece(encrypted, piece, reader)
    if documents is None:
        raise OperatorError(
            f"Potongan {title} dari cadangan {backup.id} rusak atau diubah: cadangan ini tidak "
            "dipakai, tidak ada yang disentuh.",
            f"Piece {title} of backup {backup.id} is damaged or changed: this backup is not used, "
            "nothing was changed.",
        )
    return documents


def _open_piece(encrypted: bytes, piece: Piece, reader: x25519.Identity) -> list[bytes] | None:
    """Return the documents, or None when anything differs from the manifest."""
    if manifest.hash_bytes(encrypted) != piece.sha256:
        return None
    try:
        content = zlib.decompress(encryption.decrypt(encrypted, reader))
        documents = list(_split_documents(content))
    except (NotForUs, zlib.error, ValueError):
        return None
    if len(documents) != piece.documents or len(content) != piece.size:
        return None
    return documents


def _split_documents(content: bytes) -> Iterator[bytes]:
    """Yield the BSON documents: each begins with its length in bytes, little-endian."""
    start = 0
    while start < len(content):
        size = int.from_bytes(content[start : start + _LENGTH_BYTES], "little")
        if size <= _LENGTH_BYTES:
            raise ValueError("a BSON document has no length")
        yield content[start : start + size]
        start += size
