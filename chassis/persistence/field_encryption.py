"""Encryption under a ring of keys: AES-256-GCM under wrapped data keys, and look-up values.

Each value has a data key of its own, wrapped (RFC 3394) by the key of the ring that `key_id` names.
The associated data binds a value to its owner: the id of its document, and the field where a
document holds several values. A look-up value is an HMAC-SHA-256, so that a text is found without
being stored in the clear.
Not here: which fields are encrypted, and the job that renews them (jobs.key_rotation).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pydantic import SecretStr

KEY_BYTES = 32
NONCE_BYTES = 12
OVERHEAD_BYTES = NONCE_BYTES + 16
_TEXT_PARTS = 4
_SEPARATOR = "."


class FieldUnreadable(Exception):
    """A value was changed, belongs to another owner, or needs a key that the ring lacks."""


class KeyUnknown(FieldUnreadable):
    """The ring lacks the key of a value; the message is the key's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A data key, wrapped by the key of this id."""

    key_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedField:
    """An encrypted text; the three byte strings are base64.

    `wrapped_key` is empty in values of certification from before wrapped data keys: the key of the
    ring encrypts those itself.
    """

    key_id: str
    wrapped_key: str
    nonce: str
    ciphertext: str

    def to_text(self) -> str:
        """Return the value as one text, for a field that is stored as a text."""
        return _SEPARATOR.join((self.key_id, self.wrapped_key, self.nonce, self.ciphertext))

    @classmethod
    def from_text(cls, text: str) -> EncryptedField:
        """Return the value of a text, `key.data` in the former form. Raises FieldUnreadable."""
        key_id, *parts = text.split(_SEPARATOR)
        if len(parts) == _TEXT_PARTS - 1:
            wrapped_key, nonce, ciphertext = parts
            return cls(key_id=key_id, wrapped_key=wrapped_key, nonce=nonce, ciphertext=ciphertext)
        if len(parts) != 1:
            raise FieldUnreadable
        data = _decode(parts[0])
        return cls(
            key_id=key_id,
            wrapped_key="",
            nonce=_encode(data[:NONCE_BYTES]),
            ciphertext=_encode(data[NONCE_BYTES:]),
        )


class KeyRing:
    """The keys of one setting: the current one writes, the former ones still read.

    `name` is the setting. A key that is given twice counts once.
    """

    def __init__(self, name: str, current: bytes, former: Iterable[bytes] = ()) -> None:
        keys = list(dict.fromkeys((current, *former)))
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"{name}: each key needs 32 bytes")
        self.name = name
        self.key_id = _key_id(current)
        self.former_ids = tuple(_key_id(key) for key in keys[1:])
        self._keys = {_key_id(key): key for key in keys}
        self._unwrapped = {_unwrapped_key_id(key): key for key in keys}

    @classmethod
    def of(cls, name: str, current: SecretStr, former: SecretStr) -> KeyRing:
        """Return the ring of settings in hexadecimal digits, `former` with one key a line."""
        former_keys = [bytes.fromhex(line) for line in former.get_secret_value().split()]
        return cls(name, bytes.fromhex(current.get_secret_value()), former_keys)

    @property
    def key_ids(self) -> frozenset[str]:
        """Return every id by which a stored value may name a key of the ring."""
        return frozenset(self._keys) | frozenset(self._unwrapped)

    def key(self, key_id: str) -> bytes:
        """Return the key of this id. Raises KeyUnknown."""
        if key_id not in self._keys:
            raise KeyUnknown(key_id)
        return self._keys[key_id]

    def unwrapped_key(self, key_id: str) -> bytes:
        """Return the key that encrypted a value without a wrapped data key. Raises KeyUnknown."""
        if key_id not in self._unwrapped:
            raise KeyUnknown(key_id)
        return self._unwrapped[key_id]

    def new_key(self) -> WrappedKey:
        """Return a new data key, wrapped by the current key."""
        return self._wrap(AESGCM.generate_key(KEY_BYTES * 8))

    def unwrap(self, key: WrappedKey) -> bytes:
        """Return the data key. Raises FieldUnreadable, KeyUnknown."""
        wrapping_key = self.key(key.key_id)
        try:
            return aes_key_unwrap(wrapping_key, key.wrapped)
        except (InvalidUnwrap, ValueError):
            raise FieldUnreadable from None

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """Return the same data key, wrapped by the current key. Raises as `unwrap`."""
        return key if key.key_id == self.key_id else self._wrap(self.unwrap(key))

    def _wrap(self, data_key: bytes) -> WrappedKey:
        wrapped = aes_key_wrap(self._keys[self.key_id], data_key)
        return WrappedKey(key_id=self.key_id, wrapped=wrapped)


class FieldCipher:
    """Encrypts and decrypts texts under the keys of one ring."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def encrypt(self, text: str, owner: str) -> EncryptedField:
        """Return the text encrypted under a new data key and bound to `owner`."""
        key = self.ring.new_key()
        encrypted = encrypt_bytes(self.ring.unwrap(key), text.encode(), owner)
        return EncryptedField(
            key_id=key.key_id,
            wrapped_key=_encode(key.wrapped),
            nonce=_encode(encrypted[:NONCE_BYTES]),
            ciphertext=_encode(encrypted[NONCE_BYTES:]),
        )

    def decrypt(self, encrypted: EncryptedField, owner: str) -> str:
        """Return the text. Raises FieldUnreadable, KeyUnknown."""
        if encrypted.wrapped_key:
            data_key = self.ring.unwrap(_wrapped_key(encrypted))
        else:
            data_key = self.ring.unwrapped_key(encrypted.key_id)
        data = _decode(encrypted.nonce) + _decode(encrypted.ciphertext)
        return decrypt_bytes(data_key, data, owner).decode()

    def renew(self, encrypted: EncryptedField, owner: str) -> EncryptedField:
        """Return the value under the current key; unchanged if it is. Raises as `decrypt`."""
        if not encrypted.wrapped_key:
            return self.encrypt(self.decrypt(encrypted, owner), owner)
        if encrypted.key_id == self.ring.key_id:
            return encrypted
        key = self.ring.rewrap(_wrapped_key(encrypted))
        return replace(encrypted, key_id=key.key_id, wrapped_key=_encode(key.wrapped))

    def encrypt_to_text(self, text: str, owner: str) -> str:
        """Return `encrypt` as one text."""
        return self.encrypt(text, owner).to_text()

    def decrypt_text(self, encrypted: str, owner: str) -> str:
        """Return the text of `encrypt_to_text`. Raises FieldUnreadable, KeyUnknown."""
        return self.decrypt(EncryptedField.from_text(encrypted), owner)

    def renew_text(self, encrypted: str, owner: str) -> str:
        """Return `renew` as one text. Raises FieldUnreadable, KeyUnknown."""
        return self.renew(EncryptedField.from_text(encrypted), owner).to_text()


class LookupKeys:
    """Makes look-up values: the current key those that are stored, every key those to search."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    @property
    def key_id(self) -> str:
        """Return the id of the key of `value`."""
        return self.ring.key_id

    def value(self, text: str) -> str:
        """Return the look-up value to store, under the current key."""
        return self._hmac(self.ring.key_id, text)

    def values(self, text: str) -> list[str]:
        """Return the look-up values under every key of the ring, for searching."""
        key_ids = (self.ring.key_id, *self.ring.former_ids)
        return [self._hmac(key_id, text) for key_id in key_ids]

    def _hmac(self, key_id: str, text: str) -> str:
        return hmac.new(self.ring.key(key_id), text.encode(), hashlib.sha256).hexdigest()


def encrypt_bytes(data_key: bytes, data: bytes, owner: str) -> bytes:
    """Return a random nonce and the data encrypted, bound to `owner`."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(data_key).encrypt(nonce, data, owner.encode())


def decrypt_bytes(data_key: bytes, encrypted: bytes, owner: str) -> bytes:
    """Return the data of `encrypt_bytes`. Raises FieldUnreadable."""
    nonce = encrypted[:NONCE_BYTES]
    try:
        return AESGCM(data_key).decrypt(nonce, encrypted[NONCE_BYTES:], owner.encode())
    except (InvalidTag, ValueError):
        raise FieldUnreadable from None


def _wrapped_key(encrypted: EncryptedField) -> WrappedKey:
    return WrappedKey(key_id=encrypted.key_id, wrapped=_decode(encrypted.wrapped_key))


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"bina key id" + key).hexdigest()[:8]


def _unwrapped_key_id(key: bytes) -> str:
    return hashlib.sha256(b"key name" + key).hexdigest()[:8]


def _encode(data: bytes) -> str:
    return b64encode(data).decode()


def _decode(text: str) -> bytes:
    """Return the bytes of base64. Raises FieldUnreadable."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise FieldUnreadable from None
