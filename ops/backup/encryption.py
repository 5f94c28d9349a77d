"""How bytes are sealed: for a holder's public key, for two holders together, and under a backup's own key. Not here: what is sealed, and where it lies.

X25519 with an ephemeral key, HKDF-SHA-256 and AES-256-GCM: whoever knows the public half can seal, and cannot read.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import sys
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ops.errors import OperatorError
from ops.local import secret_files

KEY_BYTES, _NONCE_BYTES = 32, 12
_ONCE = bytes(_NONCE_BYTES)  # a key that seals one text only needs no other nonce


class NotForUs(Exception):
    """It was sealed for somebody else, for another place, or was changed since."""


def name_of(public: X25519PublicKey) -> str:
    """A public key's name, by which its holder recognises it."""
    return hashlib.sha256(_raw(public)).hexdigest()[:16]


def seal_for(public: X25519PublicKey, text: bytes, place: str) -> str:
    """The text as only the holder of the private half can read it, at this place only."""
    once = X25519PrivateKey.generate()
    key = _agreed(once.exchange(public), once.public_key(), public, place)
    return b64encode(
        _raw(once.public_key()) + AESGCM(key).encrypt(_ONCE, text, place.encode())
    ).decode()


def open_with(private: X25519PrivateKey, sealed: str, place: str) -> bytes:
    """The text that was sealed for this holder and place. NotForUs."""
    try:
        data = b64decode(sealed, validate=True)
        once = X25519PublicKey.from_public_bytes(data[:KEY_BYTES])
        key = _agreed(private.exchange(once), once, private.public_key(), place)
        return AESGCM(key).decrypt(_ONCE, data[KEY_BYTES:], place.encode())
    except (InvalidTag, ValueError) as error:
        raise NotForUs from error


def split(key: bytes) -> tuple[bytes, bytes]:
    """Two shares: together they are the key, each alone is noise (exclusive or with a random one)."""
    one = secrets.token_bytes(len(key))
    return one, join(one, key)


def join(one: bytes, other: bytes) -> bytes:
    """The key of two shares."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


class Chest:
    """Seals numbered pieces under one key, each for its own place."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, piece: bytes, number: int, place: str) -> bytes:
        """The piece sealed; a number is used once."""
        return self._cipher.encrypt(number.to_bytes(_NONCE_BYTES, "big"), piece, place.encode())

    def open(self, sealed: bytes, number: int, place: str) -> bytes:
        """The piece of that number and place. NotForUs."""
        try:
            return self._cipher.decrypt(
                number.to_bytes(_NONCE_BYTES, "big"), sealed, place.encode()
            )
        except InvalidTag as error:
            raise NotForUs from error


def make_pair(path: Path) -> str:
    """Make a holder's pair, `path` and `path`.pub, under a passphrase where somebody sits at the terminal; the public key's name. OperatorError when the file is there."""
    if path.exists():
        raise OperatorError(
            f"{path} sudah ada: kunci lama tidak ditimpa, pilih nama lain.",
            f"{path} exists: an old key is not overwritten, choose another name.",
        )
    passphrase = _chosen() if sys.stdin.isatty() else ""
    private = X25519PrivateKey.generate()
    kept = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    path.parent.mkdir(parents=True, exist_ok=True)
    secret_files.write_private(
        path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept).decode()
    )
    secret_files.write_private(
        path.with_name(path.name + ".pub"),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )
    return name_of(private.public_key())


def public_key(path: Path) -> X25519PublicKey:
    """A holder's public key. OperatorError when the file holds none."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError):
        key = None
    if not isinstance(key, X25519PublicKey):
        raise OperatorError(
            f"{path} bukan kunci publik pemegang: buat dengan ./bina key.",
            f"{path} is no holder's public key: make one by ./bina key.",
        )
    return key


def private_key(path: Path) -> X25519PrivateKey:
    """A holder's private key; the passphrase is asked for where it has one. OperatorError when the file holds none or the passphrase is wrong."""
    try:
        content = path.read_bytes()
        try:
            key = load_pem_private_key(content, None)
        except TypeError:  # it has a passphrase
            key = load_pem_private_key(
                content, getpass.getpass(f"Frasa sandi untuk {path.name}: ").encode()
            )
    except (OSError, ValueError):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise OperatorError(
            f"{path} bukan kunci pemegang, atau frasa sandinya salah.",
            f"{path} is no holder's key, or its passphrase is wrong.",
        )
    return key


def _chosen() -> str:
    first = getpass.getpass("Frasa sandi (kosong: tanpa): ")
    if first != getpass.getpass("Sekali lagi: "):
        raise OperatorError(
            "Kedua frasa sandi tidak sama: ulangi.", "The two passphrases differ: try again."
        )
    return first


def _agreed(shared: bytes, once: X25519PublicKey, holder: X25519PublicKey, place: str) -> bytes:
    return HKDF(
        SHA256(), KEY_BYTES, _raw(once) + _raw(holder), f"bina backup 1 {place}".encode()
    ).derive(shared)


def _raw(public: X25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def random_key() -> bytes:
    """A key for one backup."""
    return os.urandom(KEY_BYTES)
