"""The table of faults: what each error code of MongoDB and each error of Kafka means to us.

Not here: the drivers' classes (persistence.drivers, messaging.kafka), retries and responses.
"""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """Whose fault an error is, and so what follows from it."""

    CONFLICT = "conflict"  # another transaction was first: the whole body runs again
    AWAY = "away"  # no server serves us now: wait and try again, never park; commands get 503
    UNKNOWN_COMMIT = "unknown commit"  # ask again until the result is known
    TOO_LARGE = "too large"  # the transaction is: smaller batches, commands get 413
    CONTENT = "content"  # of the document or record, which will be refused again: park
    OURS = "ours"  # a defect: park the event, commands get 500


_MONGO_CODES: dict[Fault, frozenset[int]] = {
    Fault.CONFLICT: frozenset(
        {
            24,  # LockTimeout
            46,  # LockBusy
            112,  # WriteConflict
            117,  # ConflictingOperationInProgress
            175,  # QueryPlanKilled
            225,  # TransactionTooOld
            239,  # SnapshotTooOld
            246,  # SnapshotUnavailable
            251,  # NoSuchTransaction
            267,  # PreparedTransactionInProgress
            290,  # TransactionExceededLifetimeLimitSeconds
        }
    ),
    Fault.AWAY: frozenset(
        {
            6,  # HostUnreachable
            7,  # HostNotFound
            13,  # Unauthorized: users are being changed
            18,  # AuthenticationFailed
            43,  # CursorNotFound: the server restarted
            50,  # MaxTimeMSExpired
            64,  # WriteConcernTimeout
            89,  # NetworkTimeout
            91,  # ShutdownInProgress
            100,  # UnsatisfiableWriteConcern
            133,  # FailedToSatisfyReadPreference
            134,  # ReadConcernMajorityNotAvailableYet
            189,  # PrimarySteppedDown
            202,  # NetworkInterfaceExceededTimeLimit
            237,  # CursorKilled
            262,  # ExceededTimeLimit
            279,  # ClientDisconnect
            365,  # TemporarilyUnavailable
            391,  # ReauthenticationRequired
            461,  # RateLimitExceeded
            462,  # IngressRequestRateLimitExceeded
            9001,  # SocketException
            10058,  # NotPrimary before 3.4
            10107,  # NotWritablePrimary
            11600,  # InterruptedAtShutdown
            11601,  # Interrupted
            11602,  # InterruptedDueToReplStateChange
            13435,  # NotPrimaryNoSecondaryOk
            13436,  # NotPrimaryOrSecondary
            14031,  # OutOfDiskSpace
        }
    ),
    Fault.TOO_LARGE: frozenset({388}),  # TransactionTooLargeForCache
    Fault.CONTENT: frozenset(
        {
            121,  # DocumentValidationFailure
            10334,  # BSONObjectTooLarge
            11000,  # DuplicateKey
            11001,  # DuplicateKey, older
            12582,  # DuplicateKey, of mongos
            17419,  # the update makes a document too large
            17420,  # the replacement is too large
        }
    ),
}
# Errors of aiokafka by name; all others mean that the broker is away.
KAFKA_REFUSALS = frozenset(
    {"MessageSizeTooLargeError", "RecordListTooLargeError", "InvalidMessageError"}
)
_FAULTS_BY_CODE = {code: fault for fault, codes in _MONGO_CODES.items() for code in codes}


def of_mongo_code(code: int | None) -> Fault:
    """Return the fault of an error code of MongoDB's server; an unlisted one is ours."""
    return _FAULTS_BY_CODE.get(code or 0, Fault.OURS)


def of_kafka_error(name: str) -> Fault:
    """Return the fault of an error of aiokafka, given by its class name."""
    return Fault.CONTENT if name in KAFKA_REFUSALS else Fault.AWAY
