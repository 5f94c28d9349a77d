"""Acts that need a second person beside the one who proposed. Where a prison has too few people, a named officer of the Kanwil is given these, and reading, and nothing else.

The services refuse the same person twice; here stands only which acts a second may be lent.
"""

SECOND_PERSON_PERMISSIONS = frozenset(
    {
        "POST /v1/tpp-decisions/{decision_id}/head-approval",
        "POST /v1/snapshots/{snapshot_id}/release",
        "POST /v1/split-policies/{policy_id}/approval",
        "POST /v1/agencies/{agency_id}/approve",
        "POST /v1/consumers/{consumer_id}/approve",
    }
)


def exclude_second_person(permissions: frozenset[str]) -> frozenset[str]:
    """Of a role's permissions those that a second person is not lent."""
    return frozenset(
        permission
        for permission in permissions
        if permission not in SECOND_PERSON_PERMISSIONS and not permission.startswith("GET ")
    )
