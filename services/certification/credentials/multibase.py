"""Multibase text of bytes: base58btc (`z`), base64url (`u`) and Ed25519 Multikeys.

Not here: what the bytes mean.
"""

from __future__ import annotations

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_ED25519_PUBLIC = b"\xed\x01"
_ED25519_BYTES = 32
_MAX_DIGITS = 128


class NotMultibase(ValueError):
    """The text is not in the expected multibase form."""


def encode_base58(data: bytes) -> str:
    """Return `z` and the base58btc digits; a leading zero byte becomes a leading `1`."""
    number = int.from_bytes(data)
    digits = ""
    while number:
        number, remainder = divmod(number, 58)
        digits = _ALPHABET[remainder] + digits
    leading_zeros = len(data) - len(data.lstrip(b"\0"))
    return "z" + "1" * leading_zeros + digits


def decode_base58(text: str) -> bytes:
    """Return the bytes of `z…`. Raises NotMultibase.

    More than 128 digits are refused, because the work grows with their square.
    """
    digits = text[1:]
    if not text.startswith("z") or len(digits) > _MAX_DIGITS:
        raise NotMultibase
    number = 0
    for digit in digits:
        if digit not in _VALUES:
            raise NotMultibase
        number = number * 58 + _VALUES[digit]
    leading_zeros = len(digits) - len(digits.lstrip("1"))
    return bytes(leading_zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def encode_base64url(data: bytes) -> str:
    """Return `u` and base64url without padding."""
    return "u" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_base64url(text: str) -> bytes:
    """Return the bytes of `u…`. Raises NotMultibase unless re-encoding gives the same text."""
    padding = "=" * (-len(text[1:]) % 4)
    try:
        data = base64.b64decode(text[1:] + padding, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotMultibase from None
    if encode_base64url(data) != text:
        raise NotMultibase
    return data


def encode_multikey(key: Ed25519PublicKey) -> str:
    """Return the `publicKeyMultibase` of an Ed25519 key (W3C Multikey)."""
    return encode_base58(_ED25519_PUBLIC + key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def decode_multikey(text: str) -> Ed25519PublicKey:
    """Return the Ed25519 key of a Multikey. Raises NotMultibase for any other key."""
    data = decode_base58(text)
    if data[:2] != _ED25519_PUBLIC or len(data) != len(_ED25519_PUBLIC) + _ED25519_BYTES:
        raise NotMultibase
    return Ed25519PublicKey.from_public_bytes(data[2:])
