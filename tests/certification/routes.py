"""The routes of certification that need a caller, with a body for each change."""

from __future__ import annotations

from collections.abc import Iterator

from tests.certification.factories import FORM, SIGNATORY, UNITS, LspHarness, application_path
from tests.certification.harness import Harness, Json, done, today
from tests.fakes import routes

APPLICATION = "/v1/assessment-applications/{application_id}"
CERTIFICATE = "/v1/certificates/{certificate_id}"
CAUSE: Json = {"cause": "data_error"}
UNSCOPED = {
    ("POST", "/v1/lsps"),
    ("POST", "/v1/verifications"),
    # each line of these answers is judged alone
    ("POST", "/v1/assessment-applications/names"),
    ("POST", "/v1/assessment-applications/forms"),
    ("POST", "/v1/assessment-applications/unit-results"),
}
LISTS = {
    "GET /v1/lsps",
    "GET /v1/schemes",
    "GET /v1/assessors",
    "GET /v1/venues",
    "GET /v1/assessment-applications",
    "GET /v1/panel-decisions",
    "GET /v1/certificates",
}
CREATIONS = {
    "POST /v1/schemes",
    "POST /v1/assessors",
    "POST /v1/venues",
    "POST /v1/panel-decisions",
}


def own_routes(harness: Harness) -> Iterator[tuple[str, str]]:
    """Yield method and template of each scoped route."""
    for route in routes(harness.client.app):
        is_own = route.path.startswith("/v1/") and not route.path.startswith("/v1/operations/")
        for method in route.methods or ():
            if is_own and (method, route.path) not in UNSCOPED:
                yield method, route.path


async def ids_of(lsp: LspHarness, certificate: Json) -> dict[str, str]:
    """Return the ids of an LSP's aggregates, by path parameter."""
    path = application_path(certificate["application_id"])
    application = await done(lsp.officer.get(path))
    proposal = await lsp.propose_licence(number="BNSP-LSP-0002-ID")
    return {
        "lsp_id": lsp.id,
        "proposal_id": proposal["proposal_id"],
        "key_name": f"key-{today().year}",
        "edition_id": certificate["edition_id"],
        "assessor_id": lsp.assessor["assessor_id"],
        "venue_id": lsp.venue["venue_id"],
        "application_id": certificate["application_id"],
        "panel_decision_id": application["panel_decision_id"],
        "certificate_id": certificate["certificate_id"],
    }


def bodies(lsp: LspHarness) -> dict[str, Json]:
    """Return a body for each change that takes one."""
    return {
        "POST /v1/lsps/{lsp_id}/licences": lsp.licence(),
        "POST /v1/lsps/{lsp_id}/keys/{key_name}/compromise": {},
        "PUT /v1/lsps/{lsp_id}/signatory": SIGNATORY,
        "POST /v1/schemes": {
            "lsp_id": lsp.id,
            "scheme_ref": "lain-sekali",
            "title": "x",
            "packaging": "unit",
            "description": "x",
            "criteria": "x",
            "units": UNITS,
        },
        "POST /v1/assessors": {
            "lsp_id": lsp.id,
            "name": "x",
            "met_no": "x",
            "met_valid_until": str(today()),
            "scheme_refs": [],
        },
        "PATCH /v1/assessors/{assessor_id}": {"name": "x"},
        "POST /v1/venues": {
            "lsp_id": lsp.id,
            "name": "x",
            "kind": "standing",
            "scheme_refs": ["x"],
        },
        "POST /v1/venues/{venue_id}/verifications": {
            "valid_from": str(today()),
            "valid_until": str(today()),
            "scheme_refs": ["x"],
        },
        "POST /v1/assessment-applications/names": {
            "application_ids": ["x"],
            "purpose": "assessment-day",
        },
        f"PUT {APPLICATION}/apl-01": FORM,
        f"PUT {APPLICATION}/apl-02": {"units": {"x": True}, "signed_on": str(today())},
        f"PUT {APPLICATION}/assignment": lsp.assignment(),
        f"PUT {APPLICATION}/declaration": {"conflict": True},
        f"PUT {APPLICATION}/unit-results": {"units": {"x": "K"}},
        f"PUT {APPLICATION}/recommendation": {"competent": True},
        f"PUT {APPLICATION}/name/confirmation": {"name": "Siti Aminah"},
        "POST /v1/panel-decisions": lsp.sitting("anything"),
        f"PUT {CERTIFICATE}/numbers": {"certificate_no": "43211 7411 2 0000123 2026"},
        f"POST {CERTIFICATE}/suspension": CAUSE,
        f"POST {CERTIFICATE}/reinstatement": CAUSE,
        f"POST {CERTIFICATE}/revocation": CAUSE,
    }
