"""A keyed permutation of 0..size-1: indexes look random, never collide, and need no memory.

It is a balanced Feistel network over the next even number of bits. Its output is encrypted again
until it is inside the range (cycle walking).
Not here: which counter value is next, or which list.
"""

from __future__ import annotations

import hashlib

_ROUNDS = 6
KEY_BYTES = 32


def permute(value: int, size: int, key: bytes) -> int:
    """Return the image of `value` (0 <= value < size); distinct values have distinct images."""
    if not 0 <= value < size:
        raise ValueError("the value is outside the range")
    half_bits = ((size - 1).bit_length() + 1) // 2
    while True:
        value = _encrypt(value, half_bits, key)
        if value < size:
            return value


def _encrypt(value: int, half_bits: int, key: bytes) -> int:
    mask = (1 << half_bits) - 1
    left = value >> half_bits
    right = value & mask
    for number in range(_ROUNDS):
        block = bytes([number]) + right.to_bytes(4)
        keyed = hashlib.blake2b(block, key=key, digest_size=4).digest()
        left, right = right, left ^ (int.from_bytes(keyed) & mask)
    return left << half_bits | right
