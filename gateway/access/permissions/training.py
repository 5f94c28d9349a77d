"""Permissions for training.

Rows are scoped by the claim `facility`. Reading a name needs a purpose and is audited. Not here:
other services.
"""

_FACILITIES = frozenset({"GET /v1/facilities", "GET /v1/facilities/{facility_id}"})
_PEOPLE = frozenset(
    {
        "GET /v1/participants",
        "GET /v1/participants/{participant_ref}",
        "GET /v1/participants/{participant_ref}/timeline",
    }
)
_NAMES = frozenset({"GET /v1/participants/{participant_ref}/identity"})
_NAMES_OF_MANY = frozenset({"POST /v1/participants/names"})
_SUITABILITY_OF_MANY = frozenset({"POST /v1/classes/{class_id}/suitability"})
_SNAPSHOTS = frozenset(
    {
        "GET /v1/facilities/{facility_id}/snapshots",
        "GET /v1/snapshots/{snapshot_id}",
        "GET /v1/snapshots/{snapshot_id}/row-errors",
        "GET /v1/snapshots/{snapshot_id}/movements",
    }
)
_COURSES = frozenset(
    {
        "GET /v1/programmes",
        "GET /v1/programmes/{programme_id}",
        "GET /v1/classes",
        "GET /v1/classes/{class_id}",
        "GET /v1/classes/{class_id}/sessions",
        "GET /v1/classes/{class_id}/suitability/{participant_ref}",
        "GET /v1/classes/{class_id}/timeline",
        "GET /v1/sessions/{session_id}",
        "GET /v1/sessions/{session_id}/attendance",
        "GET /v1/class-applications",
        "GET /v1/class-applications/{application_id}",
        "GET /v1/tpp-decisions",
        "GET /v1/tpp-decisions/{decision_id}",
        "GET /v1/enrolments",
        "GET /v1/enrolments/{enrolment_id}",
        "GET /v1/enrolments/{enrolment_id}/completion",
    }
)
_INBOX = frozenset(
    {
        "GET /v1/training-tasks",
        "GET /v1/training-tasks/summary",
        "GET /v1/training-tasks/{task_id}",
        "GET /v1/training-tasks/{task_id}/resolutions",
        "POST /v1/training-tasks/{task_id}/acknowledgement",
        "POST /v1/training-tasks/{task_id}/resolutions",
    }
)
_APPLICATIONS = frozenset(
    {
        "POST /v1/class-applications",
        "POST /v1/classes/{class_id}/applications",
        *(
            f"POST /v1/class-applications/{{application_id}}/{step}"
            for step in ("withdrawal", "resubmission")
        ),
    }
)

PERMISSIONS: dict[str, frozenset[str]] = {
    "administrator": _FACILITIES
    | _SNAPSHOTS
    | {
        "POST /v1/facilities",
        "PATCH /v1/facilities/{facility_id}",
        "POST /v1/facilities/{facility_id}/mappings",
        "POST /v1/facilities/{facility_id}/mapped-values",
    },
    "registry_operator": _FACILITIES
    | _SNAPSHOTS
    | _PEOPLE
    | _NAMES
    | _NAMES_OF_MANY
    | _INBOX
    | {
        "POST /v1/facilities/{facility_id}/snapshots",
        "POST /v1/facilities/{facility_id}/snapshot-uploads",
        "GET /v1/snapshot-uploads/{upload_id}",
        "PATCH /v1/snapshot-uploads/{upload_id}",
        "POST /v1/facilities/{facility_id}/mapped-values",
        "POST /v1/snapshots/{snapshot_id}/release",
        "POST /v1/snapshots/{snapshot_id}/taken-at-correction",
        "POST /v1/snapshots/{snapshot_id}/taken-at-correction/approval",
        "POST /v1/snapshots/{snapshot_id}/stopped-rows",
        "POST /v1/participants/{participant_ref}/merge",
        "POST /v1/training-tasks/{task_id}/merge-decision",
    },
    "training_officer": _FACILITIES
    | _PEOPLE
    | _NAMES
    | _NAMES_OF_MANY
    | _SUITABILITY_OF_MANY
    | _COURSES
    | _INBOX
    | _APPLICATIONS
    | {
        "POST /v1/programmes",
        "POST /v1/programmes/{programme_id}/editions",
        "POST /v1/programmes/{programme_id}/copies",
        "POST /v1/classes",
        "PATCH /v1/classes/{class_id}",
        "PATCH /v1/classes/{class_id}/seats",
        *(
            f"POST /v1/classes/{{class_id}}/{step}"
            for step in (
                "opening",
                "start",
                "closing",
                "cancellation",
                "sessions",
                "enrolments",
                "results",
                "completions",
            )
        ),
        "POST /v1/sessions/{session_id}/attendance",
        "POST /v1/sessions/{session_id}/cancellation",
        "PATCH /v1/attendance/{attendance_id}",
        "POST /v1/enrolments",
        "PATCH /v1/enrolments/{enrolment_id}/suspensions/{number}",
        *(
            f"POST /v1/enrolments/{{enrolment_id}}/{step}"
            for step in ("completion", "end", "results", "suspensions")
        ),
    },
    "case_officer": _FACILITIES
    | _PEOPLE
    | _NAMES
    | _NAMES_OF_MANY
    | _SUITABILITY_OF_MANY
    | _COURSES
    | _INBOX
    | _APPLICATIONS
    | {"POST /v1/tpp-decisions"},
    "workshop_officer": _FACILITIES
    | {
        "GET /v1/participants",
        "GET /v1/participants/{participant_ref}",
        "GET /v1/tpp-decisions",
        "GET /v1/tpp-decisions/{decision_id}",
    },
    "head": _FACILITIES
    | _SNAPSHOTS
    | _PEOPLE
    | _NAMES
    | _NAMES_OF_MANY
    | _SUITABILITY_OF_MANY
    | _COURSES
    | _INBOX
    | {
        "POST /v1/tpp-decisions/{decision_id}/head-approval",
        "POST /v1/snapshots/{snapshot_id}/release",
        "POST /v1/snapshots/{snapshot_id}/taken-at-correction",
        "POST /v1/snapshots/{snapshot_id}/taken-at-correction/approval",
    },
    "auditor": _FACILITIES
    | _SNAPSHOTS
    | _PEOPLE
    | _NAMES
    | _COURSES,  # names only with a reason (gateway/middleware/audited_reads.py)
}
