"""How secrets are kept: AES-256-GCM under data keys wrapped by a master key, and keyed lookup values. Not here: whose secret it is.

Every sealed value has a data key of its own, wrapped (RFC 3394) by the master key that `key_id` names; the associated data binds it to its owner.
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
    """A value was sealed under a master key that is not here; the message names the key's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedField:
    """An encrypted text; all parts are base64."""

    key_id: str
    wrapped_key: str
    nonce: str
    ciphertext: str


class FieldCipher:
    """Seals, opens and looks up. The first key of each list makes new values, the others are still accepted."""

    def __init__(self, master_keys: Sequence[bytes], lookup_keys: Sequence[bytes]) -> None:
        self._masters = {_key_id(key): key for key in master_keys}
        self._lookups = {_key_id(key): key for key in lookup_keys}
        self._master, self.lookup_key = _key_id(master_keys[0]), _key_id(lookup_keys[0])

    def encrypt(self, text: str, owner: str) -> EncryptedField:
        """The text under a fresh data key, bound to `owner`."""
        data_key, nonce = AESGCM.generate_key(KEY_BYTES * 8), os.urandom(_NONCE_BYTES)
        ciphertext = AESGCM(data_key).encrypt(nonce, text.encode(), owner.encode())
        wrapped = aes_key_wrap(self._masters[self._master], data_key)
        return EncryptedField(
            key_id=self._master,
            wrapped_key=_text(wrapped),
            nonce=_text(nonce),
            ciphertext=_text(ciphertext),
        )

    def decrypt(self, sealed: EncryptedField, owner: str) -> str:
        """The text; KeyUnknown, or cryptography's InvalidTag when it belongs to somebody else."""
        if sealed.key_id not in self._masters:
            raise KeyUnknown(sealed.key_id)
        data_key = aes_key_unwrap(self._masters[sealed.key_id], b64decode(sealed.wrapped_key))
        return (
            AESGCM(data_key)
            .decrypt(b64decode(sealed.nonce), b64decode(sealed.ciphertext), owner.encode())
            .decode()
        )

    def lookup(self, digits: str) -> str:
        """The keyed lookup value that is stored."""
        return _hmac(self._lookups[self.lookup_key], digits)

    def lookups(self, digits: str) -> list[str]:
        """The lookup values under every accepted key: what to search for while a key is being changed."""
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
