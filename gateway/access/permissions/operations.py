"""Permissions of operators and auditors, the same for every service.

The service's name is part of the path. Not here: permissions for a service's own routes.
"""

_READS = ("parked", "parked/{sequence}", "lag", "outbox")
# `event-status` only reads; it is a POST because its body lists up to 500 events.
_CHANGES = (
    "parked/{sequence}/retry",
    "parked/{sequence}/discard",
    "replay",
    "event-status",
    "projections/{projection}/rebuild",
)


def permissions(service: str) -> dict[str, frozenset[str]]:
    """Return the permissions of operators and auditors for one service."""
    reads = frozenset(f"GET /v1/operations/{service}/{path}" for path in _READS)
    return {
        "operator": reads
        | {f"POST /v1/operations/{service}/{path}" for path in _CHANGES}
        | {f"GET /v1/operations/{service}/topic"},
        "auditor": reads | audit_permissions(service),
    }


def audit_permissions(service: str) -> frozenset[str]:
    """Return an auditor's permissions for the audit of one service or the gateway."""
    return frozenset(
        {f"GET /v1/operations/{service}/audit", f"GET /v1/operations/{service}/audit/export"}
    )
