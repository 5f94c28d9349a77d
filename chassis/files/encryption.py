"""Encryption of files in parts: AES-256-GCM under a data key for each file.

The data key is wrapped (RFC 3394) by the master key that `key_id` names. The associated data binds
a part to its file and its place in it. Not here: where the parts lie (parts).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

KEY_BYTES = 32
NONCE_BYTES = 12
OVERHEAD_BYTES = NONCE_BYTES + 16


class PartUnreadable(Exception):
    """A part was changed or moved, or its master key is not configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """The data key of one file, wrapped by the master key of this id."""

    key_id: str
    wrapped: bytes


class FileKeys:
    """Makes and unwraps data keys; the first master key wraps, the others are still accepted."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        self._masters = {_key_id(key): key for key in master_keys}
        self._current = _key_id(master_keys[0])

    def new_key(self) -> WrappedKey:
        """Return the wrapped data key of a new file."""
        data_key = AESGCM.generate_key(KEY_BYTES * 8)
        wrapped = aes_key_wrap(self._masters[self._current], data_key)
        return WrappedKey(key_id=self._current, wrapped=wrapped)

    def encrypt(self, key: WrappedKey, data: bytes, place: str) -> bytes:
        """Return a part encrypted and bound to its place. Raises PartUnreadable."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher(key).encrypt(nonce, data, place.encode())

    def decrypt(self, key: WrappedKey, encrypted: bytes, place: str) -> bytes:
        """Return the bytes of a part. Raises PartUnreadable."""
        nonce = encrypted[:NONCE_BYTES]
        try:
            return self._cipher(key).decrypt(nonce, encrypted[NONCE_BYTES:], place.encode())
        except InvalidTag:
            raise PartUnreadable(place) from None

    def _cipher(self, key: WrappedKey) -> AESGCM:
        if key.key_id not in self._masters:
            raise PartUnreadable(key.key_id)
        try:
            return AESGCM(aes_key_unwrap(self._masters[key.key_id], key.wrapped))
        except InvalidUnwrap:
            raise PartUnreadable(key.key_id) from None


def _key_id(key: bytes) -> str:
    if len(key) != KEY_BYTES:
        message = "a key of 32 bytes is needed"
        raise ValueError(message)
    return hashlib.sha256(b"bina key id" + key).hexdigest()[:8]
