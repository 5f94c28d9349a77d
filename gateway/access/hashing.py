"""Generates and hashes secrets: passwords and PINs by argon2, codes and tokens by SHA-256.

Not here: where the hashes are stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# Each hash takes 32 MiB and a core for some 80 ms; a flood of sign-ins must not exhaust them.
MAX_PARALLEL_HASHES = 2
# Without characters that look alike on paper: 0 and O, 1, I and L.
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 12  # 59 bits: no salt or slow hash is needed


class Passwords:
    """Hashes and verifies passwords and PINs in threads, outside the event loop.

    Verification takes as long for an unknown login as for a known one.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
        self._semaphore = asyncio.Semaphore(MAX_PARALLEL_HASHES)
        self._decoy_hash = ""

    async def hash_password(self, password: str) -> str:
        """Return the hash to store."""
        async with self._semaphore:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify_password(self, password: str, stored_hash: str) -> bool:
        """Return whether the password matches; without a hash False, after the same work."""
        if not stored_hash:
            self._decoy_hash = self._decoy_hash or await self.hash_password(secrets.token_hex())
        async with self._semaphore:
            found = await asyncio.to_thread(
                partial(self._verify, stored_hash or self._decoy_hash, password)
            )
        return found and bool(stored_hash)

    def _verify(self, stored_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def new_code() -> str:
    """Return a random code to print, in groups of four characters."""
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LENGTH, 4))


def hash_code(code: str) -> str:
    """Return the stored hash of a printed code; case and separators are ignored."""
    return hash_token("".join(letter for letter in code.upper() if letter in CODE_ALPHABET))


def new_token() -> str:
    """Return a random token of 256 bits."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return the stored hash of a random token."""
    return hashlib.sha256(token.encode()).hexdigest()
