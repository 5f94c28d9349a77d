"""Encryption of short texts with AES-256-GCM, each bound to one context.

It covers names before and after signing, signed credentials, and secret keys of lists.
Not here: who may read them.
"""

from __future__ import annotations

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class VaultUnreadable(Exception):
    """The text was encrypted under another key or for another context, or was changed."""


class FieldCipher:
    """Encrypts texts for one context each; no other context can decrypt them. `key` is 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._key_name = hashlib.sha256(b"key name" + key).hexdigest()[:8]

    def encrypt(self, text: str, context: str) -> str:
        """Return the text encrypted for this context, prefixed with the name of the key."""
        nonce = os.urandom(_NONCE_BYTES)
        encrypted = self._cipher.encrypt(nonce, text.encode(), context.encode())
        return f"{self._key_name}.{base64.b64encode(nonce + encrypted).decode()}"

    def decrypt(self, encrypted: str, context: str) -> str:
        """Return the text that was encrypted for this context. Raises VaultUnreadable."""
        key_name, _, content = encrypted.partition(".")
        if key_name != self._key_name:
            raise VaultUnreadable
        data = base64.b64decode(content)
        nonce = data[:_NONCE_BYTES]
        try:
            text = self._cipher.decrypt(nonce, data[_NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise VaultUnreadable from None
        return text.decode()
