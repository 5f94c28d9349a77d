"""Multibase text of bytes: base58btc (`z`), base64url (`u`) and Ed25519 Multikeys. Not here: what the bytes mean."""

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
    """The text is not the multibase form it should be."""


def encode_base58(data: bytes) -> str:
    """`z` and the base58btc digits; a leading zero byte is a leading `1`."""
    number, digits = int.from_bytes(data), ""
    while number:
        number, rest = divmod(number, 58)
        digits = _ALPHABET[rest] + digits
    return "z" + "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


def decode_base58(text: str) -> bytes:
    """The bytes of `z…`; NotMultibase for other letters or more than 128 of them (the work grows with the square)."""
    digits = text[1:]
    if (
        not text.startswith("z")
        or len(digits) > _MAX_DIGITS
        or not all(letter in _VALUES for letter in digits)
    ):
        raise NotMultibase
    number = 0
    for letter in digits:
        number = number * 58 + _VALUES[letter]
    zeros = len(digits) - len(digits.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def encode_base64url(data: bytes) -> str:
    """`u` and base64url without padding."""
    return "u" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_base64url(text: str) -> bytes:
    """The bytes of `u…`; NotMultibase for anything that `base64url` would not have written."""
    try:
        data = base64.b64decode(
            text[1:] + "=" * (-len(text[1:]) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        raise NotMultibase from None
    if encode_base64url(data) != text:
        raise NotMultibase
    return data


def encode_multikey(key: Ed25519PublicKey) -> str:
    """`publicKeyMultibase` of an Ed25519 key (W3C Multikey)."""
    return encode_base58(_ED25519_PUBLIC + key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def decode_multikey(text: str) -> Ed25519PublicKey:
    """The Ed25519 key of a Multikey; NotMultibase for any other."""
    data = decode_base58(text)
    if data[:2] != _ED25519_PUBLIC or len(data) != len(_ED25519_PUBLIC) + _ED25519_BYTES:
        raise NotMultibase
    return Ed25519PublicKey.from_public_bytes(data[2:])
