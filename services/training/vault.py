"""Encryption of single fields: AES-256-GCM under wrapped data keys, and keyed lookup values.

Each encrypted field has a data key of its own, wrapped (RFC 3394) by the master key that `key_id`
names. The associated data binds the field to its owner. Not here: which fields are encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap

KEY_BYTES = 32
_NONCE_BYTES = 12


class KeyUnknown(LookupError):
    """The master key of an encrypted field is not configured; the message is the key's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedField:
    """An encrypted text; the three byte strings are base64."""

    key_id: str
    wrapped_key: str
    nonce: str
    ciphertext: str


class FieldCipher:
    """Encrypts and decrypts fields, and makes their lookup values.

    The first key of each list makes new values; the others are still accepted.
    """

    def __init__(self, master_keys: Sequence[bytes], lookup_keys: Sequence[bytes]) -> None:
        self._masters = {_key_id(key): key for key in master_keys}
        self._lookups = {_key_id(key): key for key in lookup_keys}
        self._master = _key_id(master_keys[0])
        self.lookup_key = _key_id(lookup_keys[0])

    def encrypt(self, text: str, owner: str) -> EncryptedField:
        """Return the text encrypted under a fresh data key and bound to `owner`."""
        data_key = AESGCM.generate_key(KEY_BYTES * 8)
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(data_key).encrypt(nonce, text.encode(), owner.encode())
        wrapped_key = aes_key_wrap(self._masters[self._master], data_key)
        return EncryptedField(
            key_id=self._master,
            wrapped_key=_text(wrapped_key),
            nonce=_text(nonce),
            ciphertext=_text(ciphertext),
        )

    def decrypt(self, encrypted: EncryptedField, owner: str) -> str:
        """Return the text. Raises KeyUnknown, or InvalidTag when it has another owner."""
        if encrypted.key_id not in self._masters:
            raise KeyUnknown(encrypted.key_id)
        master_key = self._masters[encrypted.key_id]
        data_key = aes_key_unwrap(master_key, b64decode(encrypted.wrapped_key))
        nonce = b64decode(encrypted.nonce)
        ciphertext = b64decode(encrypted.ciphertext)
        return AESGCM(data_key).decrypt(nonce, ciphertext, owner.encode()).decode()

    def lookup(self, digits: str) -> str:
        """Return the lookup value to store, under the current key."""
        return _hmac(self._lookups[self.lookup_key], digits)

    def lookups(self, digits: str) -> list[str]:
        """Return the lookup values under every accepted key, for searching during a key change."""
        return [_hmac(key, digits) for key in self._lookups.values()]


def _hmac(key: bytes, digits: str) -> str:
    return hmac.new(key, digits.encode(), hashlib.sha256).hexdigest()


def _key_id(key: bytes) -> str:
    if len(key) != KEY_BYTES:
        message = "a key of 32 bytes is needed"
        raise ValueError(message)
    return hashlib.sha256(b"bina key id" + key).hexdigest()[:8]


def _text(data: bytes) -> str:
    return b64encode(data).decode()
