"""What operators may ask of every service, and auditors see of it. The same for each; its name stands in the paths."""

_READS = ("parked", "parked/{sequence}", "lag", "outbox")
_CHANGES = (
    "parked/{sequence}/retry",
    "parked/{sequence}/discard",
    "replay",
    "event-status",
    "projections/{projection}/rebuild",
)  # event-status counts only, but names up to 500 events in its body


def permissions(service: str) -> dict[str, frozenset[str]]:
    """The permissions of both roles for one service."""
    reads = frozenset(f"GET /v1/operations/{service}/{path}" for path in _READS)
    return {
        "operator": reads
        | {f"POST /v1/operations/{service}/{path}" for path in _CHANGES}
        | {f"GET /v1/operations/{service}/topic"},
        "auditor": reads | audit_permissions(service),
    }


def audit_permissions(service: str) -> frozenset[str]:
    """What an auditor may ask of the audit of one part, the gateway among them."""
    return frozenset(
        {f"GET /v1/operations/{service}/audit", f"GET /v1/operations/{service}/audit/export"}
    )
