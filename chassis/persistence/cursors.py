"""Signed cursors of paged lists; each belongs to one list with its filters.

Not here: queries.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from chassis.errors import Refused
from chassis.texts import TEXTS

CursorValue = str | int | datetime | None
_LABEL = b"bina/cursors/1"
_SIGNATURE_BYTES = 16


class CursorInvalid(Refused):
    """A cursor that this service did not sign for this list with these filters."""

    title = TEXTS["errors.cursor_invalid"]
    field = "cursor"


@dataclass(frozen=True, slots=True)
class CursorSigner:
    """Signs and verifies the cursors of one service with HMAC-SHA-256."""

    key: bytes

    @classmethod
    def derived_from(cls, secret: bytes) -> CursorSigner:
        """Return the signer whose key is derived from a secret of the service."""
        return cls(hmac.digest(secret, _LABEL, hashlib.sha256))

    def sign(
        self, list_name: str, position: Sequence[CursorValue], *, filters: object = None
    ) -> str:
        """Return the cursor of a position, which is the sort values of the last item shown."""
        content = [_to_json(value) for value in position]
        plain = json.dumps(content, separators=(",", ":")).encode()
        sealed = self._signature(list_name, filters, plain) + plain
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def verify(
        self,
        cursor: str,
        list_name: str,
        *,
        filters: object = None,
        field: str = "cursor",
    ) -> tuple[CursorValue, ...]:
        """Return the position that `sign` was given for the same list and filters.

        `field` names the parameter that holds the cursor. Raises CursorInvalid.
        """
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
        except ValueError:
            raise CursorInvalid(field=field) from None
        plain = sealed[_SIGNATURE_BYTES:]
        signature = self._signature(list_name, filters, plain)
        if not hmac.compare_digest(sealed[:_SIGNATURE_BYTES], signature):
            raise CursorInvalid(field=field)
        return tuple(_from_json(value) for value in json.loads(plain))

    def _signature(self, list_name: str, filters: object, plain: bytes) -> bytes:
        """Return the signature over the list's name, its filters and the position."""
        context = json.dumps([list_name, filters], sort_keys=True, default=_plain_filter)
        digest = hashlib.sha256(context.encode()).digest()
        return hmac.digest(self.key, digest + plain, hashlib.sha256)[:_SIGNATURE_BYTES]


def _plain_filter(value: object) -> Any:
    """Return a filter's value for `json.dumps`; the order of a set has no meaning."""
    if isinstance(value, (set, frozenset)):
        return sorted(cast("Iterable[str]", value))
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a cursor cannot belong to a filter with a {type(value).__name__}")


def _to_json(value: CursorValue) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _from_json(value: Any) -> CursorValue:
    if not isinstance(value, dict):
        return value
    return datetime.fromisoformat(cast("dict[str, str]", value)["at"])
