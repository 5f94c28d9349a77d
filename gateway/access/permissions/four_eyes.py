"""Permissions that need a second person beside the proposer (segregation of duties).

Where a prison has too few people, a named officer of the Kanwil gets these and the reading
permissions of the role, nothing else. Not here: the check that both persons differ (services).
"""

SECOND_PERSON_PERMISSIONS = frozenset(
    {
        "POST /v1/tpp-decisions/{decision_id}/head-approval",
        "POST /v1/snapshots/{snapshot_id}/release",
        "POST /v1/snapshots/{snapshot_id}/taken-at-correction/approval",
        "POST /v1/split-policies/{policy_id}/approval",
        "POST /v1/agencies/{agency_id}/approve",
        "POST /v1/consumers/{consumer_id}/approve",
        "POST /v1/consumer-credentials/{credential_id}/approve",
    }
)


def exclude_second_person(permissions: frozenset[str]) -> frozenset[str]:
    """Return the role's permissions that a second person does not get."""
    return frozenset(
        permission
        for permission in permissions
        if permission not in SECOND_PERSON_PERMISSIONS and not permission.startswith("GET ")
    )
