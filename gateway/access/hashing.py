"""Secrets as they are made and kept: passwords and PINs by argon2 beside the event loop, random codes and tokens by SHA-256. Not here: whose they are."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = (
    2  # each takes 32 MiB and a core for some 80 ms: a flood of sign-ins must not take the machine
)
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # nothing that is read as something else on paper
CODE_LETTERS = 12  # 59 bits: no salt or slow hash is needed


class Passwords:
    """Hashes what people remember. Who is not known costs as much time as who is."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobodys = ""

    async def hashed(self, password: str) -> str:
        """The hash to keep."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, kept: str) -> bool:
        """Whether this is the password; with nothing kept False, after the same work."""
        if not kept:
            self._nobodys = self._nobodys or await self.hashed(secrets.token_hex())
        async with self._turn:
            found = await asyncio.to_thread(
                partial(self._verified, kept or self._nobodys, password)
            )
        return found and bool(kept)

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def new_code() -> str:
    """A code to be printed, in groups of four."""
    letters = "".join(secrets.choice(LETTERS) for _ in range(CODE_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LETTERS, 4))


def code_hash(code: str) -> str:
    """What is kept of a printed code, however it was typed."""
    return token_hash("".join(letter for letter in code.upper() if letter in LETTERS))


def new_token() -> str:
    """A random token of 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is kept of a random token."""
    return hashlib.sha256(token.encode()).hexdigest()
