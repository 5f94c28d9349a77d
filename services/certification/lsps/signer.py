"""The port to issuers' private keys, and the one that keeps them as files. Not here: which key signs what; private keys never leave this port."""

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
    load_pem_private_key,
)

from services.certification.credentials import multibase


class KeyMissing(Exception):
    """There is no such private key here."""


class Signer(Protocol):
    """Makes keys and signs with them. Never called inside a transaction."""

    async def create(self, lsp_id: str, key_name: str) -> str:
        """Make the key unless it is there; its public half as a Multikey."""
        ...

    async def sign(self, lsp_id: str, key_name: str, message: bytes) -> bytes:
        """The Ed25519 signature: the same message gives the same bytes. KeyMissing when there is no such key."""
        ...


class FileSigner:
    """One PKCS#8 file per key, readable by this process' user alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def create(self, lsp_id: str, key_name: str) -> str:
        """Make the key unless it is there; two that make it at once get the same one."""
        return await asyncio.to_thread(self._create, lsp_id, key_name)

    async def sign(self, lsp_id: str, key_name: str, message: bytes) -> bytes:
        """The signature."""
        return self._load(lsp_id, key_name).sign(message)

    def _create(self, lsp_id: str, key_name: str) -> str:
        place = self._directory / lsp_id
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._file(lsp_id, key_name).exists():
            content = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            with tempfile.NamedTemporaryFile(
                dir=place, prefix=".new-"
            ) as file:  # made with mode 600
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(file.name, self._file(lsp_id, key_name))
        return multibase.encode_multikey(self._load(lsp_id, key_name).public_key())

    def _load(self, lsp_id: str, key_name: str) -> Ed25519PrivateKey:
        try:
            key = load_pem_private_key(self._file(lsp_id, key_name).read_bytes(), password=None)
        except (FileNotFoundError, ValueError):
            raise KeyMissing from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyMissing
        return key

    def _file(self, lsp_id: str, key_name: str) -> Path:
        return self._directory / lsp_id / f"{key_name}.pem"
