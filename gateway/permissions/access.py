"""What each role may ask of the gateway itself: everybody of their own sign-in, administrators of others' access. Users and grants are scoped by `facility`, the user's home."""

_USER = "/v1/access/users/{user_id}"
_GRANT = "/v1/access/grants/{grant_id}"

READ_ACCESS = frozenset({"GET /v1/access/users", f"GET {_USER}", "GET /v1/access/grants", f"GET {_GRANT}"})
CHANGE_ACCESS = frozenset({"PUT /v1/access/users", f"POST {_USER}/disable", f"POST {_USER}/enable", "POST /v1/access/grants", f"POST {_GRANT}/end"})

PERMISSIONS: dict[str, frozenset[str]] = {
    "administrator": READ_ACCESS | CHANGE_ACCESS,
    "auditor": READ_ACCESS,
}
