"""Errors of MongoDB: the driver's by their fault, and ours for conflicts and refusals.

Not here: retries of transactions (transactions), responses to clients (http.problems).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.errors import (
    AutoReconnect,
    CollectionInvalid,
    ConnectionFailure,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
    WriteError,
)

from chassis import faults
from chassis.faults import Fault
from chassis.persistence.drivers.mongo_codec import ENCODING_ERRORS
from chassis.persistence.statements import Document

__all__ = [
    "CollectionInvalid",
    "DocumentRefused",
    "DuplicateKey",
    "MongoError",
    "OperationFailure",
    "TransactionConflict",
    "TransactionTooLarge",
    "ValueRefused",
    "fault_of",
    "is_away",
    "named_refusals",
    "raise_conflict",
    "raise_refusal",
    "raise_unconfirmed",
]

MongoError = PyMongoError

_DUPLICATE_KEY = 11000


class TransactionConflict(Exception):
    """A conflict with another transaction; the whole body may run again."""


class TransactionTooLarge(Exception):
    """One transaction writes more than MongoDB or our own bounds allow."""


class DuplicateKey(Exception):
    """The unique index `index` of `collection` refused a document."""

    def __init__(self, collection: str, index: str) -> None:
        super().__init__(f"{collection}.{index}")
        self.collection = collection
        self.index = index


class DocumentRefused(Exception):
    """MongoDB refuses the content of a document (validator, size) and will refuse it again."""


class ValueRefused(DocumentRefused):
    """A value that no document can hold: half a character, a number beyond 64 bits, 16 MiB."""


def fault_of(error: MongoError) -> Fault:
    """Return the fault of an error of the driver."""
    if error.has_error_label("UnknownTransactionCommitResult"):
        return Fault.UNKNOWN_COMMIT
    if isinstance(error, ConnectionFailure):
        return Fault.AWAY
    if isinstance(error, InvalidOperation) and "after close" in str(error):
        return Fault.AWAY  # this process is ending
    fault = faults.of_mongo_code(getattr(error, "code", None))
    if fault is Fault.OURS and error.has_error_label("TransientTransactionError"):
        return Fault.CONFLICT
    return fault


def is_away(error: MongoError) -> bool:
    """Return whether MongoDB does not serve us now, so that the same may succeed later."""
    return fault_of(error) in {Fault.AWAY, Fault.UNKNOWN_COMMIT}


def raise_conflict(error: BaseException) -> None:
    """Raise TransactionConflict or TransactionTooLarge if that is what the error means."""
    if not isinstance(error, PyMongoError):
        return
    fault = fault_of(error)
    if fault is Fault.CONFLICT:
        raise TransactionConflict from error
    if fault is Fault.TOO_LARGE:
        raise TransactionTooLarge from error


@contextmanager
def named_refusals(collection: str) -> Generator[None]:
    """Raise DuplicateKey or DocumentRefused, with this collection, for what is refused inside."""
    try:
        yield
    except WriteError as error:
        raise_refusal(collection, [{"code": error.code, **(error.details or {})}])
        raise
    except ENCODING_ERRORS as error:
        raise ValueRefused(f"{collection}: {type(error).__name__}") from error


def raise_refusal(collection: str, write_errors: Sequence[Mapping[str, Any]]) -> None:
    """Raise what the write errors of one command mean; nothing without any.

    An error of the server comes before refusals of documents, which may be a consequence of it.
    """
    codes = {write_error["code"] for write_error in write_errors}
    found = {faults.of_mongo_code(code) for code in codes}
    if Fault.AWAY in found:
        raise AutoReconnect(f"{collection}: {sorted(codes)}")
    if Fault.CONFLICT in found:
        raise TransactionConflict
    if Fault.TOO_LARGE in found:
        raise TransactionTooLarge(collection)
    for write_error in write_errors:
        if write_error["code"] == _DUPLICATE_KEY:
            message = str(write_error.get("errmsg"))
            index = message.partition(" index: ")[2].partition(" ")[0]
            raise DuplicateKey(collection, index or "_id_")
    if codes:
        raise DocumentRefused(f"{collection}: {sorted(codes)}")


def raise_unconfirmed(answer: Document) -> None:
    """Raise WriteConcernError if the majority has not confirmed a write."""
    error = answer.get("writeConcernError")
    if error:
        raise WriteConcernError(str(error.get("errmsg")), error.get("code"), error)
