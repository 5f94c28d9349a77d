"""Encryption of files in parts, under a data key for each file.

The associated data binds a part to its file and its place in it. Not here: where the parts lie
(parts), the keys (persistence.field_encryption).
"""

from __future__ import annotations

from chassis.persistence.field_encryption import (
    FieldUnreadable,
    KeyRing,
    WrappedKey,
    decrypt_bytes,
    encrypt_bytes,
)


class PartUnreadable(Exception):
    """A part was changed or moved, or its master key is not configured."""


class FileKeys:
    """Makes the data keys of files, and encrypts parts under them."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def new_key(self) -> WrappedKey:
        """Return the wrapped data key of a new file."""
        return self._ring.new_key()

    def encrypt(self, key: WrappedKey, data: bytes, place: str) -> bytes:
        """Return a part encrypted and bound to its place. Raises PartUnreadable."""
        return encrypt_bytes(self._data_key(key), data, place)

    def decrypt(self, key: WrappedKey, encrypted: bytes, place: str) -> bytes:
        """Return the bytes of a part. Raises PartUnreadable."""
        try:
            return decrypt_bytes(self._data_key(key), encrypted, place)
        except FieldUnreadable:
            raise PartUnreadable(place) from None

    def _data_key(self, key: WrappedKey) -> bytes:
        try:
            return self._ring.unwrap(key)
        except FieldUnreadable:
            raise PartUnreadable(key.key_id) from None
