"""Cursors: decoding returns what was encoded, and refuses everything else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from chassis.persistence.cursors import CursorInvalid, CursorValue, decode_cursor, encode_cursor

NOW = datetime(2026, 11, 30, 9, 30, 0, 123_000, UTC)


@pytest.mark.parametrize("position", [(1, "a"), (None, "a"), ("b", "a"), (NOW, "a"), ()])
@pytest.mark.parametrize("key", [b"", b"secret"])
def test_a_cursor_gives_its_position_back(position: tuple[CursorValue, ...], key: bytes) -> None:
    cursor = encode_cursor("jars", position, key=key)
    assert decode_cursor(cursor, "jars", size=len(position), key=key) == position


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "!!!",
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b'"jars"').decode(),
        base64.urlsafe_b64encode(b'["jars", {"at": 1}]').decode(),
        base64.urlsafe_b64encode(b'["jars", [1]]').decode(),
        base64.urlsafe_b64encode(b'["jars", 1.5]').decode(),
        encode_cursor("notes", ("a",)),
        encode_cursor("jars", ("a", "b")),
    ],
)
def test_a_cursor_that_was_not_made_for_the_list_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(cursor, "jars", size=1)


@pytest.mark.parametrize("key", [b"", b"other"])
def test_a_signed_cursor_of_another_key_is_refused(key: bytes) -> None:
    with pytest.raises(CursorInvalid):
        decode_cursor(encode_cursor("jars", ("a",), key=key), "jars", size=1, key=b"secret")
