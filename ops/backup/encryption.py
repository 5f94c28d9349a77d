"""Age files encrypted for public keys, and a private key split into two shares.

A public key encrypts and cannot decrypt. The format is age (age-encryption.org/v1), so `age -d`
opens every file without Bina. Not here: what is encrypted, and the names of the files.
"""

from __future__ import annotations

import getpass
import hashlib
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

import pyrage
from pyrage import x25519

from ops.errors import OperatorError
from ops.language import choose
from ops.local import secret_files

_SECRET_KEY = "AGE-SECRET-KEY-1"  # noqa: S105 - the beginning of a private key's line
_ENCRYPTED = b"-----BEGIN AGE ENCRYPTED FILE-----"


class NotForUs(Exception):
    """The file was encrypted for another key, or is damaged."""


def name_of(public: x25519.Recipient) -> str:
    """Return the short name of a public key: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(str(public).encode()).hexdigest()[:16]


def encrypt(content: bytes, readers: Sequence[x25519.Recipient]) -> bytes:
    """Return a binary age file that each of these readers can open alone."""
    return pyrage.encrypt(content, list(readers))


def encrypt_as_text(content: bytes, reader: x25519.Recipient) -> str:
    """Return an age file in ASCII armour that this reader can open."""
    return pyrage.encrypt(content, [reader], armored=True).decode()


def decrypt(encrypted: bytes, private: x25519.Identity) -> bytes:
    """Return the content of an age file. Raises NotForUs."""
    try:
        return pyrage.decrypt(encrypted, [private])
    except pyrage.DecryptError as error:
        raise NotForUs from error


def new_identity() -> x25519.Identity:
    """Return a new private key."""
    return x25519.Identity.generate()


def split(private: x25519.Identity) -> tuple[bytes, bytes]:
    """Return two shares of a private key: a random pad, and the key XORed with it."""
    secret = str(private).encode()
    pad = secrets.token_bytes(len(secret))
    return pad, _xor(pad, secret)


def join(share: bytes, other_share: bytes) -> x25519.Identity:
    """Return the private key of two shares. Raises NotForUs when they give no key."""
    try:
        return x25519.Identity.from_str(_xor(share, other_share).decode())
    except (ValueError, pyrage.IdentityError) as error:
        raise NotForUs from error


def _xor(share: bytes, other_share: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(share, other_share, strict=True))


def make_pair(path: Path) -> str:
    """Write a pair of keys, `path` and `path`.pub, and return the name of the pair.

    Asks for a passphrase if stdin is a terminal. Raises OperatorError when the file exists.
    """
    if path.exists():
        raise OperatorError(
            f"{path} sudah ada: kunci lama tidak ditimpa, pilih nama lain.",
            f"{path} exists: existing keys are not overwritten, choose another name.",
        )
    passphrase = _ask_new_passphrase() if sys.stdin.isatty() else ""
    private = x25519.Identity.generate()
    public = private.to_public()
    content = f"# public key: {public}\n{private}\n"
    if passphrase:
        encrypted = pyrage.passphrase.encrypt(content.encode(), passphrase, armored=True)
        content = encrypted.decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    secret_files.write_private(path, content)
    secret_files.write_private(path.with_name(path.name + ".pub"), f"{public}\n")
    return name_of(public)


def public_key(path: Path) -> x25519.Recipient:
    """Return the public key in a file. Raises OperatorError when it has none."""
    try:
        return x25519.Recipient.from_str(path.read_text().strip())
    except (OSError, ValueError, pyrage.RecipientError) as error:
        raise OperatorError(
            f"{path} bukan kunci publik pemegang: buat dengan ./bina key.",
            f"{path} is not a holder's public key: make one with ./bina key.",
        ) from error


def private_key(path: Path) -> x25519.Identity:
    """Return the private key in a file; asks for its passphrase if it has one.

    Raises OperatorError when the file has no key or the passphrase is wrong.
    """
    try:
        content = path.read_bytes()
        if content.startswith(_ENCRYPTED):
            title = choose("Frasa sandi untuk", "Passphrase of")
            passphrase = getpass.getpass(f"{title} {path.name}: ")
            content = pyrage.passphrase.decrypt(content, passphrase)
        lines = content.decode().splitlines()
        [secret] = [line for line in lines if line.startswith(_SECRET_KEY)]
        return x25519.Identity.from_str(secret)
    except (OSError, ValueError, pyrage.DecryptError, pyrage.IdentityError) as error:
        raise OperatorError(
            f"{path} bukan kunci pemegang, atau frasa sandinya salah.",
            f"{path} is not a holder's key, or its passphrase is wrong.",
        ) from error


def _ask_new_passphrase() -> str:
    passphrase = getpass.getpass(
        choose("Frasa sandi (kosong: tanpa): ", "Passphrase (empty: none): ")
    )
    if passphrase != getpass.getpass(choose("Sekali lagi: ", "Again: ")):
        raise OperatorError(
            "Kedua frasa sandi tidak sama: ulangi.", "The two passphrases differ: try again."
        )
    return passphrase
