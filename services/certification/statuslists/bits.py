"""The bits of a status list as text: gzip, base64url, multibase `u`.

Bit 0 is the highest bit of byte 0 (W3C Bitstring Status List v1.0). Not here: what a bit means.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

from services.certification.credentials import multibase

ENTRIES = 131_072
MAX_BYTES = 16 * 1024 * 1024
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


class BitsUnreadable(ValueError):
    """The text is no compressed list, is too short for herd privacy, or unpacks to over 16 MiB."""


def encode(raised: Iterable[int], size: int = ENTRIES) -> str:
    """Return the list of `size` bits in which these are 1. Equal bits give equal text."""
    data = bytearray(size // 8)
    for index in raised:
        data[index // 8] |= _mask(index)
    return multibase.encode_base64url(gzip.compress(bytes(data), compresslevel=9, mtime=0))


def decode(text: str) -> bytes:
    """Return the bytes of a list. Raises BitsUnreadable.

    Unpacking stops at the limit, so that a gzip bomb cannot fill the memory.
    """
    try:
        packed = multibase.decode_base64url(text)
        unpacker = zlib.decompressobj(_GZIP_WINDOW_BITS)
        data = unpacker.decompress(packed, MAX_BYTES + 1)
    except (multibase.NotMultibase, zlib.error):
        raise BitsUnreadable from None
    is_complete = unpacker.eof and not unpacker.unused_data
    has_allowed_size = len(data) <= MAX_BYTES and len(data) * 8 >= ENTRIES
    if not is_complete or not has_allowed_size:
        raise BitsUnreadable
    return data


def is_raised(data: bytes, index: int) -> bool:
    """Return whether the bit is 1. Raises IndexError outside the list."""
    if index < 0:
        raise IndexError
    return bool(data[index // 8] & _mask(index))


def _mask(index: int) -> int:
    return 0x80 >> index % 8
