"""Permissions for marketplace. Not here: other services."""

_WORKSHOP_READS = frozenset(
    {
        "GET /v1/workshops",
        "GET /v1/workshops/{workshop_id}",
        "GET /v1/work-assignments",
        "GET /v1/batches",
        "GET /v1/batches/{batch_id}",
        "GET /v1/work-logs",
        "GET /v1/workshops/{workshop_id}/work-days/{date}",
    }
)
_STORE_READS = frozenset(
    {
        "GET /v1/products/{product_id}/record",
        "GET /v1/stock",
        "GET /v1/stock/movements",
        "GET /v1/orders",
        "GET /v1/orders/{order_id}/record",
    }
)
_POLICY_READS = frozenset({"GET /v1/split-policies", "GET /v1/split-policies/{policy_id}"})
_MONEY_READS = frozenset(
    {"GET /v1/payments/events", "GET /v1/ledger/journals", "GET /v1/ledger/trial-balance"}
)
_TASK_READS = frozenset(
    {
        "GET /v1/marketplace-tasks",
        "GET /v1/marketplace-tasks/summary",
        "GET /v1/marketplace-tasks/{task_id}",
        "GET /v1/marketplace-tasks/{task_id}/resolutions",
    }
)
_TASKS = _TASK_READS | {"POST /v1/marketplace-tasks/{task_id}/resolutions"}

PERMISSIONS: dict[str, frozenset[str]] = {
    "workshop_officer": _WORKSHOP_READS
    | _TASKS
    | {
        "POST /v1/workshops",
        "POST /v1/workshops/{workshop_id}/closure",
        "POST /v1/work-assignments",
        "POST /v1/work-assignments/{assignment_id}/end",
        "POST /v1/batches",
        "POST /v1/batches/{batch_id}/start",
        "PATCH /v1/batches/{batch_id}/costs",
        "POST /v1/batches/{batch_id}/quality-check",
        "POST /v1/batches/{batch_id}/completion",
        "POST /v1/batches/{batch_id}/rejection",
        "POST /v1/work-logs",
        "PATCH /v1/work-logs/{log_id}",
        "PUT /v1/workshops/{workshop_id}/work-days/{date}",
        "GET /v1/products/{product_id}/record",
        "GET /v1/stock",
    },
    "store_officer": _STORE_READS
    | _TASKS
    | {
        "GET /v1/workshops",
        "GET /v1/workshops/{workshop_id}",
        "POST /v1/products",
        "POST /v1/products/{product_id}/publication",
        "POST /v1/products/{product_id}/withdrawal",
        "POST /v1/products/{product_id}/prices",
        "POST /v1/orders/{order_id}/transitions",
    },
    "treasurer": _POLICY_READS
    | _MONEY_READS
    | _TASKS
    | {"POST /v1/split-policies", "POST /v1/split-policies/{policy_id}/proposal"},
    "head": _POLICY_READS
    | {
        "POST /v1/split-policies/{policy_id}/approval",
        "POST /v1/split-policies/{policy_id}/activation",
        "POST /v1/split-policies/{policy_id}/retirement",
    },
    "auditor": _WORKSHOP_READS | _STORE_READS | _POLICY_READS | _MONEY_READS | _TASK_READS,
    "public": frozenset(
        {
            "GET /v1/products",
            "GET /v1/products/{product_id}",
            "GET /v1/products/{product_id}/provenance",
            "POST /v1/carts",
            "GET /v1/carts/{cart_id}",
            "PUT /v1/carts/{cart_id}",
            "POST /v1/checkout",
            "GET /v1/orders/{order_id}",
            "GET /v1/orders/{order_id}/split",
            "POST /v1/orders/{order_id}/payment-attempts",
            "POST /v1/orders/{order_id}/cancellation",
            "POST /v1/payments/notifications/{provider}",
            "POST /v1/payments/sandbox/{order_ref}/{command}",
        }
    ),
}
