"""Errors of MongoDB: the driver's, and ours for conflicts, duplicate keys and refusals.

Not here: retries of transactions (transactions), responses to clients (http.problems).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.errors import ConnectionFailure, PyMongoError, WriteError

MongoError = PyMongoError
Unreachable = ConnectionFailure

_DUPLICATE_KEY = 11000
_WRITE_CONFLICT = 112


class TransactionConflict(Exception):
    """A conflict with another transaction; the whole body may run again."""


class DuplicateKey(Exception):
    """The unique index `index` of `collection` refused a document."""

    def __init__(self, collection: str, index: str) -> None:
        super().__init__(f"{collection}.{index}")
        self.collection = collection
        self.index = index


class DocumentRefused(Exception):
    """MongoDB refuses the content of a document (validator, size) and will refuse it again."""


def raise_conflict(error: BaseException) -> None:
    """Raise TransactionConflict for an error that MongoDB labels as transient.

    A connection failure has the same label but is not a conflict: the function returns.
    """
    if isinstance(error, ConnectionFailure) or not isinstance(error, PyMongoError):
        return
    is_transient = error.has_error_label("TransientTransactionError")
    if is_transient or getattr(error, "code", 0) == _WRITE_CONFLICT:
        raise TransactionConflict from error


@contextmanager
def named_refusals(collection: str) -> Generator[None]:
    """Raise DuplicateKey or DocumentRefused, with this collection, for a WriteError inside."""
    try:
        yield
    except WriteError as error:
        raise_refusal(collection, [{"code": error.code, **(error.details or {})}])
        raise


def raise_refusal(collection: str, write_errors: Sequence[Mapping[str, Any]]) -> None:
    """Raise DuplicateKey or DocumentRefused for write errors that a document caused."""
    for write_error in write_errors:
        if write_error["code"] == _DUPLICATE_KEY:
            message = str(write_error.get("errmsg"))
            index = message.partition(" index: ")[2].partition(" ")[0]
            raise DuplicateKey(collection, index or "_id_")
    codes = {write_error["code"] for write_error in write_errors} - {_WRITE_CONFLICT}
    if codes:
        raise DocumentRefused(f"{collection}: {sorted(codes)}")
