"""Permissions for manpower. Not here: other services."""

READ_OFFICES = frozenset(
    {"GET /v1/agencies", "GET /v1/agencies/{agency_id}", "GET /v1/agency-routes"}
)
JUDGE_AGENCIES = frozenset(
    {
        f"POST /v1/agencies/{{agency_id}}/{verb}"
        for verb in ("approve", "suspend", "resume", "close")
    }
)
READ_CONSUMERS = frozenset(
    {
        "GET /v1/consumers",
        "GET /v1/consumers/{consumer_id}",
        "GET /v1/consumers/{consumer_id}/credentials",
    }
)
JUDGE_CONSUMERS = frozenset(
    {
        f"POST /v1/consumers/{{consumer_id}}/{verb}"
        for verb in ("approve", "suspend", "resume", "close")
    }
) | frozenset(
    {
        "POST /v1/consumer-credentials/{credential_id}/approve",
        "POST /v1/consumer-credentials/{credential_id}/return",
    }
)
READ_CANDIDATES = frozenset({"GET /v1/candidates", "GET /v1/candidates/{candidate_id}"})
READ_CONSENTS = frozenset(
    {"GET /v1/consents", "GET /v1/consents/texts", "GET /v1/consents/{consent_id}"}
)
READ_VACANCIES = frozenset({"GET /v1/vacancies", "GET /v1/vacancies/{vacancy_id}"})
OFFER_VACANCIES = frozenset(
    {
        "POST /v1/vacancies",
        "PATCH /v1/vacancies/{vacancy_id}",
        "POST /v1/vacancies/{vacancy_id}/close",
    }
)
READ_APPLICATIONS = frozenset(
    {"GET /v1/job-applications", "GET /v1/job-applications/{application_id}"}
)
MOVE_APPLICATIONS = frozenset({"POST /v1/job-applications/{application_id}/steps"})
READ_PLACEMENTS = frozenset({"GET /v1/placements", "GET /v1/placements/{placement_id}"})
FOLLOW = frozenset({"GET /v1/feed", "GET /v1/snapshot"})
READ_PRODUCTION = frozenset({"GET /v1/production-statistics"})

PERMISSIONS: dict[str, frozenset[str]] = {
    "administrator": READ_OFFICES
    | JUDGE_AGENCIES
    | READ_CONSUMERS
    | JUDGE_CONSUMERS
    | frozenset(
        {
            "POST /v1/agencies",
            "PUT /v1/agency-routes/{regency_code}/{topic}",
            "POST /v1/consumers",
            "POST /v1/consumers/{consumer_id}/credentials",
            "POST /v1/consumer-credentials/{credential_id}/detach",
        }
    ),
    "head": READ_OFFICES
    | JUDGE_AGENCIES
    | READ_CONSUMERS
    | JUDGE_CONSUMERS
    | READ_CANDIDATES
    | READ_CONSENTS
    | READ_VACANCIES
    | READ_APPLICATIONS
    | READ_PLACEMENTS
    | READ_PRODUCTION,
    "case_officer": READ_OFFICES
    | READ_CANDIDATES
    | READ_CONSENTS
    | READ_VACANCIES
    | OFFER_VACANCIES
    | READ_APPLICATIONS
    | MOVE_APPLICATIONS
    | READ_PLACEMENTS
    | frozenset(
        {
            "PATCH /v1/candidates/{candidate_id}",
            "POST /v1/consents",
            "POST /v1/consents/{consent_id}/withdraw",
            "POST /v1/job-applications",
            "POST /v1/placements",
        }
    ),
    "training_officer": READ_OFFICES
    | READ_CANDIDATES
    | READ_VACANCIES
    | READ_APPLICATIONS
    | READ_PLACEMENTS,
    "workshop_officer": READ_PRODUCTION,
    "auditor": READ_OFFICES
    | READ_CONSUMERS
    | READ_CONSENTS
    | READ_VACANCIES
    | READ_APPLICATIONS
    | READ_PLACEMENTS
    | READ_PRODUCTION,
    "kanwil": READ_PRODUCTION,
    "dinas_placement": frozenset(
        {
            "GET /v1/agencies",
            "GET /v1/agencies/{agency_id}",
            "POST /v1/agencies",
            "POST /v1/placements",
        }
    )
    | JUDGE_AGENCIES
    | READ_CANDIDATES
    | READ_VACANCIES
    | OFFER_VACANCIES
    | READ_APPLICATIONS
    | MOVE_APPLICATIONS
    | READ_PLACEMENTS
    | FOLLOW,
    "dinas_training": frozenset({"GET /v1/agencies", "GET /v1/agencies/{agency_id}"})
    | READ_CANDIDATES
    | READ_VACANCIES
    | FOLLOW,
    "dinas_kukm": frozenset({"GET /v1/agencies", "GET /v1/agencies/{agency_id}"})
    | READ_CANDIDATES
    | READ_PRODUCTION
    | FOLLOW,
    "employer": READ_CANDIDATES
    | READ_VACANCIES
    | OFFER_VACANCIES
    | READ_APPLICATIONS
    | MOVE_APPLICATIONS
    | READ_PLACEMENTS
    | FOLLOW,
    "bapas": READ_CANDIDATES | READ_PLACEMENTS | FOLLOW,
}
