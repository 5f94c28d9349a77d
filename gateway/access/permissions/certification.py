"""Permissions for certification.

Rows are scoped by the claims `lsp` (officers, committee, administrator: "*") and `assignment`
(assessors: their assessor ids). Not here: other services.
"""

_APPLICATION = "/v1/assessment-applications/{application_id}"
_CERTIFICATE = "/v1/certificates/{certificate_id}"

_READING = frozenset(
    {
        "GET /v1/lsps",
        "GET /v1/lsps/{lsp_id}",
        "GET /v1/lsps/{lsp_id}/emblem",
        "GET /v1/lsps/{lsp_id}/keys/{key_name}",
        "GET /v1/schemes",
        "GET /v1/schemes/{edition_id}",
        "GET /v1/assessors",
        "GET /v1/assessors/{assessor_id}",
        "GET /v1/venues",
        "GET /v1/venues/{venue_id}",
        "GET /v1/assessment-applications",
        f"GET {_APPLICATION}",
        "GET /v1/panel-decisions",
        "GET /v1/panel-decisions/{panel_decision_id}",
        "GET /v1/certificates",
        f"GET {_CERTIFICATE}",
    }
)
_KEYS_AND_LICENCES = frozenset(
    {
        "POST /v1/lsps/{lsp_id}/licences",
        "POST /v1/lsps/{lsp_id}/licence-proposals/{proposal_id}/approval",
        "POST /v1/lsps/{lsp_id}/licence-proposals/{proposal_id}/withdrawal",
        "POST /v1/lsps/{lsp_id}/keys",
        "POST /v1/lsps/{lsp_id}/keys/{key_name}/compromise",
    }
)
_NAMES = frozenset({f"GET {_APPLICATION}/name", f"PUT {_APPLICATION}/name/confirmation"})

PERMISSIONS: dict[str, frozenset[str]] = {
    "administrator": _READING | _KEYS_AND_LICENCES | {"POST /v1/lsps"},
    "lsp_officer": _READING
    | _KEYS_AND_LICENCES
    | _NAMES
    | {
        "PUT /v1/lsps/{lsp_id}/signatory",
        "PUT /v1/lsps/{lsp_id}/emblem",
        "POST /v1/schemes",
        "POST /v1/assessors",
        "PATCH /v1/assessors/{assessor_id}",
        "POST /v1/venues",
        "POST /v1/venues/{venue_id}/verifications",
        "POST /v1/assessment-applications/names",
        "POST /v1/assessment-applications/forms",
        f"PUT {_APPLICATION}/apl-01",
        f"PUT {_APPLICATION}/apl-02",
        f"PUT {_APPLICATION}/assignment",
        f"PUT {_APPLICATION}/name",
        f"GET {_CERTIFICATE}/credential",
        f"GET {_CERTIFICATE}/pdf",
        f"POST {_CERTIFICATE}/suspension",
        f"POST {_CERTIFICATE}/reinstatement",
        f"POST {_CERTIFICATE}/revocation",
        f"POST {_CERTIFICATE}/signing",
        f"PUT {_CERTIFICATE}/numbers",
    },
    "assessor": frozenset(
        {
            "GET /v1/assessors/{assessor_id}",
            "GET /v1/assessment-applications",
            "POST /v1/assessment-applications/names",
            "POST /v1/assessment-applications/unit-results",
            f"GET {_APPLICATION}",
            f"PUT {_APPLICATION}/declaration",
            f"PUT {_APPLICATION}/unit-results",
            f"PUT {_APPLICATION}/recommendation",
        }
    ),
    "committee": _READING | _NAMES | {"POST /v1/panel-decisions"},
    "public": frozenset(
        {
            "GET /",
            "GET /V",
            "GET /V/{token}",
            "GET /v/{token}",
            "GET /i/{slug}/did.json",
            "GET /l/{list_id}",
            "GET /s/{scheme}/{version}",
            "POST /v1/verifications",
        }
    ),
}
