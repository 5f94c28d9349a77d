"""Ed25519 keys in PEM. Not here: which key signs what, and where its file lies."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key


class NotEd25519(TypeError):
    """The PEM holds a key of another algorithm than Ed25519."""


def load_private_key(pem: str | bytes) -> Ed25519PrivateKey:
    """Load an Ed25519 private key. Raises NotEd25519, or ValueError for a malformed PEM."""
    key = load_pem_private_key(_encoded(pem), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise NotEd25519("an Ed25519 private key in PEM is needed")
    return key


def load_public_key(pem: str | bytes) -> Ed25519PublicKey:
    """Load an Ed25519 public key. Raises NotEd25519, or ValueError for a malformed PEM."""
    key = load_pem_public_key(_encoded(pem))
    if not isinstance(key, Ed25519PublicKey):
        raise NotEd25519("an Ed25519 public key in PEM is needed")
    return key


def _encoded(pem: str | bytes) -> bytes:
    return pem.encode() if isinstance(pem, str) else pem
