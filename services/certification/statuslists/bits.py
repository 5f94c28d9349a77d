"""The bits of a status list as text: gzip, base64url, multibase `u`; bit 0 is the highest of byte 0 (W3C Bitstring Status List v1.0). Not here: what a bit means."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

from services.certification.credentials import multibase

ENTRIES = 131_072
MAX_BYTES = 16 * 1024 * 1024


class BitsUnreadable(ValueError):
    """The text is not a compressed list, is too short for herd privacy, or unpacks to over 16 MiB."""


def encode(raised: Iterable[int], size: int = ENTRIES) -> str:
    """The list of `size` bits in which these are 1. The same bits give the same text."""
    data = bytearray(size // 8)
    for index in raised:
        data[index // 8] |= 0x80 >> index % 8
    return multibase.encode_base64url(gzip.compress(bytes(data), compresslevel=9, mtime=0))


def decode(text: str) -> bytes:
    """The bytes of a list; unpacked piece by piece so that a gzip bomb ends at the limit."""
    try:
        packed = multibase.decode_base64url(text)
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        data = unpacker.decompress(packed, MAX_BYTES + 1)
    except (multibase.NotMultibase, zlib.error):
        raise BitsUnreadable from None
    if len(data) > MAX_BYTES or not unpacker.eof or unpacker.unused_data or len(data) * 8 < ENTRIES:
        raise BitsUnreadable
    return data


def is_raised(data: bytes, index: int) -> bool:
    """Whether that bit is 1; IndexError outside the list."""
    if index < 0:
        raise IndexError
    return bool(data[index // 8] & 0x80 >> index % 8)
