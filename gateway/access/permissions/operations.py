"""Permissions of operators and auditors, the same for every service.

The service's name is part of the path. Not here: permissions for a service's own routes.
"""

_READS = ("parked", "parked/{sequence}", "lag", "outbox")
_CHANGES = (
    "parked/{sequence}/retry",
    "parked/{sequence}/discard",
    "replay",
    "event-status",
    "projections/{projection}/rebuild",
)  # event-status counts only, but names up to 500 events in its body


def permissions(service: str) -> dict[str, frozenset[str]]:
    """Return the permissions of both roles for one service."""
    reads = frozenset(f"GET /v1/operations/{service}/{path}" for path in _READS)
    return {
        "operator": reads
        | {f"POST /v1/operations/{service}/{path}" for path in _CHANGES}
        | {f"GET /v1/operations/{service}/topic"},
        "auditor": reads | audit_permissions(service),
    }


def audit_permissions(service: str) -> frozenset[str]:
    """Return an auditor's permissions for one audit, also the gateway's."""
    return frozenset(
        {f"GET /v1/operations/{service}/audit", f"GET /v1/operations/{service}/audit/export"}
    )
