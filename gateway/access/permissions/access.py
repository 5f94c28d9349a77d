"""Permissions for the gateway's own routes.

Every role except buyer and holder manages its own sign-in. Administrators manage the access of
others, scoped by `facility`, the user's home. Not here: scopes of rows.
"""

from gateway.access.permissions.operations import audit_permissions
from gateway.access.permissions.roles import ROLES

_USER = "/v1/access/users/{user_id}"
_GRANT = "/v1/access/grants/{grant_id}"

_CLIENT = "/v1/access/clients/{client_id}"

READ_ACCESS = frozenset(
    {
        "GET /v1/access/users",
        f"GET {_USER}",
        f"GET {_USER}/sessions",
        "GET /v1/access/grants",
        f"GET {_GRANT}",
        "GET /v1/access/clients",
        f"GET {_CLIENT}",
        "POST /v1/access/explain",
        "GET /v1/access/roles",
        "GET /v1/access/roles/{role}",
        "GET /v1/access/roles/{role}/changes",
    }
)
CHANGE_ACCESS = frozenset(
    {
        "PUT /v1/access/users",
        *(f"POST {_USER}/{verb}" for verb in ("disable", "enable", "reset", "sign-out")),
        "PUT /v1/access/accounts",
        "POST /v1/access/grants",
        f"POST {_GRANT}/end",
        f"PUT {_CLIENT}",
        f"PUT {_CLIENT}/quota",
        f"PUT {_CLIENT}/secrets/{{slot}}",
        f"PUT {_CLIENT}/keys/{{slot}}",
        f"DELETE {_CLIENT}/slots/{{slot}}",
        f"POST {_CLIENT}/disable",
    }
)
OWN_SIGN_IN = frozenset(
    {
        "GET /v1/me/factors",
        "PUT /v1/me/password",
        "PUT /v1/me/codes",
        "POST /v1/me/passkeys/options",
        "POST /v1/me/passkeys",
        "POST /v1/me/devices",
        "DELETE /v1/me/factors/{factor_id}",
        "GET /v1/me/quota",
        "GET /v1/me/sessions",
        "POST /v1/me/sessions/{session_id}/end",
        "POST /v1/me/sign-out",
    }
)
# In person: at the prison before release, at the Bapas or the Dinas afterwards.
RENEW_PIN = frozenset({"POST /v1/access/cards/pin"})
_ADDITIONAL = {
    "administrator": READ_ACCESS | CHANGE_ACCESS,
    "auditor": READ_ACCESS | audit_permissions("gateway"),
    "case_officer": RENEW_PIN,
    "bapas": RENEW_PIN,
    "dinas_placement": RENEW_PIN,
}

PERMISSIONS: dict[str, frozenset[str]] = {
    role: OWN_SIGN_IN | _ADDITIONAL.get(role, frozenset())
    for role in sorted(ROLES - {"buyer", "holder"})
} | {
    "holder": frozenset({"POST /v1/holder/sign-out"}),
    "public": frozenset(
        {
            "POST /v1/holder/sign-in",
            "POST /v1/enrolment",
            "POST /v1/sign-in",
            "POST /v1/sign-in/{sign_in}/code",
            "POST /v1/sign-in/{sign_in}/passkey",
            "POST /v1/sign-in/{sign_in}/device",
            "POST /v1/oauth/token",
            "POST /v1/oauth/revoke",
        }
    ),
}
