"""A keyed permutation of 0..size-1: indexes look random, never collide, and need no memory of those given out.

A balanced Feistel network over the next even number of bits, walked until the value falls inside the range.
Not here: who counts, or which list.
"""

from __future__ import annotations

import hashlib

_ROUNDS = 6
KEY_BYTES = 32


def permute(value: int, size: int, key: bytes) -> int:
    """Where `value` (0 <= value < size) lies under this key; distinct values lie at distinct places."""
    if not 0 <= value < size:
        raise ValueError("the value is outside the range")
    half = ((size - 1).bit_length() + 1) // 2
    while True:
        value = _encrypt(value, half, key)
        if value < size:
            return value


def _encrypt(value: int, half: int, key: bytes) -> int:
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for number in range(_ROUNDS):
        keyed = hashlib.blake2b(
            bytes([number]) + right.to_bytes(4), key=key, digest_size=4
        ).digest()
        left, right = right, left ^ (int.from_bytes(keyed) & mask)
    return left << half | right
