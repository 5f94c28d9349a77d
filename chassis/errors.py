"""The errors that are shown to a caller, and their RFC 9457 bodies.

DomainError
├── Malformed 400        ├── Conflict 409 ── Duplicate, KeyReused
├── Unauthenticated 401  ├── VersionDiffers 412
├── Forbidden 403        ├── TooLarge 413
├── NotFound 404         ├── VersionRequired 428
├── Refused 422          └── Busy 503
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from chassis.texts import TEXTS, Text, localise

PROBLEM = "application/problem+json"


class DomainError(Exception):
    """Base class of the errors that a caller sees; raising one aborts the command.

    `title` is a text; so is `detail`, unless no language is in it. `facts` become members of the
    problem body, with the texts inside them. `code` is the class name in snake case unless set.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "domain_error"
    title: ClassVar[Text] = TEXTS["errors.domain_error"]
    field: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, detail: Text | str = "", *, field: str | None = None, **facts: Any) -> None:
        text = detail or self.title
        super().__init__(text.id if isinstance(text, Text) else text)
        self.detail = detail
        self.facts = facts
        if field is not None:
            self.field = field


class Malformed(DomainError):
    """The request cannot be read."""

    status = 400
    title = TEXTS["errors.malformed"]


class Unauthenticated(DomainError):
    """No valid token identifies the caller."""

    status = 401
    title = TEXTS["errors.unauthenticated"]


class Forbidden(DomainError):
    """The caller's role or claims do not permit this request."""

    status = 403
    title = TEXTS["errors.forbidden"]


class NotFound(DomainError):
    """Unknown or outside the caller's scope; callers cannot distinguish the two."""

    status = 404
    title = TEXTS["errors.not_found"]


class Conflict(DomainError):
    """The state of the data does not allow it now."""

    status = 409
    title = TEXTS["errors.conflict"]


class Duplicate(Conflict):
    """A unique index refused a second document with the same values."""

    title = TEXTS["errors.duplicate"]


class KeyReused(Conflict):
    """One Idempotency-Key was used for two different bodies."""

    code = "idempotency_key_reused"
    title = TEXTS["errors.idempotency_key_reused"]


class VersionDiffers(DomainError):
    """If-Match names another version than the one stored."""

    status = 412
    title = TEXTS["errors.version_differs"]


class TooLarge(DomainError):
    """The body has more bytes than the route accepts."""

    status = 413
    title = TEXTS["errors.too_large"]


class Refused(DomainError):
    """A rule refuses the command."""

    status = 422
    title = TEXTS["errors.refused"]


class VersionRequired(DomainError):
    """The request changes a document but has no If-Match header."""

    status = 428
    title = TEXTS["errors.version_required"]


class Busy(DomainError):
    """Conflicts or overload until the deadline, or a server that does not answer.

    The client may repeat the same request after `retry_after` seconds.
    """

    status = 503
    title = TEXTS["errors.busy"]

    def __init__(self, detail: Text | str = "", *, retry_after: int = 1, **facts: Any) -> None:
        super().__init__(detail, **facts)
        self.retry_after = retry_after


def raise_first(errors: Sequence[DomainError]) -> None:
    """Raise the first of the errors, which is the one that a single change answers."""
    if errors:
        raise errors[0]


def problem(error: DomainError, request_id: str) -> dict[str, Any]:
    """Return the RFC 9457 body of an error, in the language of the reader."""
    body: dict[str, Any] = {
        "type": f"urn:bina:problem:{error.code}",
        "title": error.title.localised,
        "status": error.status,
        "code": error.code,
    }
    if error.detail:
        body["detail"] = localise(error.detail)
    if error.field:
        body["field"] = error.field
    return body | localise(error.facts) | {"request_id": request_id}
