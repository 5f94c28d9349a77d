"""Opaque cursors of paged lists; each names a list and a position. Not here: queries."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeGuard, cast

from chassis.errors import Malformed

CursorValue = str | int | datetime | None
_SIGNATURE_BYTES = 16


class CursorInvalid(Malformed):
    """A cursor that was not made for this list."""

    title = "Penanda halaman (cursor) tidak dikenali"
    field = "cursor"


def encode_cursor(list_name: str, position: Sequence[CursorValue], *, key: bytes = b"") -> str:
    """Return the cursor of a position, which is the sort values of the last item shown.

    With `key` the cursor is signed (HMAC), so that clients cannot forge positions.
    """
    content: list[Any] = [list_name, *(_to_json(value) for value in position)]
    plain = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(plain, key) + plain).decode().rstrip("=")


def decode_cursor(
    cursor: str, list_name: str, *, size: int, key: bytes = b""
) -> tuple[CursorValue, ...]:
    """Return the `size` values of the position that `encode_cursor` was given.

    Raises CursorInvalid for another list, another size, or a signature of another key.
    """
    try:
        sealed = base64.b64decode(_padded(cursor), altchars=b"-_", validate=True)
        signature_bytes = _SIGNATURE_BYTES if key else 0
        signature = sealed[:signature_bytes]
        plain = sealed[signature_bytes:]
        if not hmac.compare_digest(signature, _signature(plain, key)):
            raise CursorInvalid
        content: Any = json.loads(plain)
        if not _is_list(content) or content[:1] != [list_name] or len(content) != size + 1:
            raise CursorInvalid
        return tuple(_from_json(value) for value in content[1:])
    except (ValueError, RecursionError):
        raise CursorInvalid from None


def _padded(cursor: str) -> str:
    return cursor + "=" * (-len(cursor) % 4)


def _signature(plain: bytes, key: bytes) -> bytes:
    return hmac.digest(key, plain, "sha256")[:_SIGNATURE_BYTES] if key else b""


def _is_list(content: object) -> TypeGuard[list[Any]]:
    return isinstance(content, list)


def _to_json(value: CursorValue) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _from_json(value: Any) -> CursorValue:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, dict):
        moment = cast("dict[str, Any]", value).get("at")
        if isinstance(moment, str):
            return datetime.fromisoformat(moment)
    raise ValueError
