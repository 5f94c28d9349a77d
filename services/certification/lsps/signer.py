"""The port to issuers' private keys, and its implementation with files.

Private keys never leave this port. Not here: which key signs what.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from chassis.keys import NotEd25519, load_private_key
from services.certification.credentials import multibase


class KeyMissing(Exception):
    """The signer has no such private key."""


class Signer(Protocol):
    """Creates keys and signs with them. Never called inside a transaction."""

    async def create(self, lsp_id: str, key_name: str) -> str:
        """Create the key unless it exists; return its public half as a Multikey."""
        ...

    async def sign(self, lsp_id: str, key_name: str, message: bytes) -> bytes:
        """Return the Ed25519 signature; equal messages give equal bytes. Raises KeyMissing."""
        ...


class FileSigner:
    """One PKCS#8 file per key, readable only by the user of this process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def create(self, lsp_id: str, key_name: str) -> str:
        """Create the key unless it exists; concurrent calls get the same key."""
        return await asyncio.to_thread(self._create, lsp_id, key_name)

    async def sign(self, lsp_id: str, key_name: str, message: bytes) -> bytes:
        """Return the signature. Raises KeyMissing."""
        return self._load(lsp_id, key_name).sign(message)

    def _create(self, lsp_id: str, key_name: str) -> str:
        folder = self._directory / lsp_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(lsp_id, key_name)
        if not path.exists():
            content = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            # A temporary file has mode 600. Linking it never replaces a key that exists.
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".new-") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, path)
        return multibase.encode_multikey(self._load(lsp_id, key_name).public_key())

    def _load(self, lsp_id: str, key_name: str) -> Ed25519PrivateKey:
        try:
            return load_private_key(self._path(lsp_id, key_name).read_bytes())
        except (FileNotFoundError, ValueError, NotEd25519):
            raise KeyMissing from None

    def _path(self, lsp_id: str, key_name: str) -> Path:
        return self._directory / lsp_id / f"{key_name}.pem"
