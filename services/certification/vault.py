"""Keeps short texts encrypted (AES-256-GCM): names before and after signing, signed credentials, secret keys of lists. Not here: who may read them."""

from __future__ import annotations

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class VaultUnreadable(Exception):
    """The text was sealed under another key or for another place, or was changed."""


class FieldCipher:
    """Seals texts for one place each; what was sealed for one record opens for no other. `key` is 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._key_name = hashlib.sha256(b"key name" + key).hexdigest()[:8]

    def encrypt(self, text: str, place: str) -> str:
        """The text encrypted for this place, prefixed with the name of the key."""
        nonce = os.urandom(_NONCE_BYTES)
        return f"{self._key_name}.{base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())).decode()}"

    def decrypt(self, sealed: str, place: str) -> str:
        """The text that was sealed for this place; VaultUnreadable otherwise."""
        key_name, _, content = sealed.partition(".")
        if key_name != self._key_name:
            raise VaultUnreadable
        data = base64.b64decode(content)
        try:
            return self._cipher.decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], place.encode()
            ).decode()
        except InvalidTag:
            raise VaultUnreadable from None
