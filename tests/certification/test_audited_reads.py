"""Every read about a person is audited in the transaction of the read, with its purpose."""

from __future__ import annotations

from chassis.ids import new_id
from tests.certification.factories import LspHarness
from tests.certification.harness import Json
from tests.fakes import AsgiClient, routes

# The answers of these routes contain nothing about a person in custody.
WITHOUT_PERSONS = {
    "/v1/lsps",
    "/v1/lsps/{lsp_id}",
    "/v1/lsps/{lsp_id}/emblem",
    "/v1/lsps/{lsp_id}/keys/{key_name}",
    "/v1/schemes",
    "/v1/schemes/{edition_id}",
    "/v1/assessors",
    "/v1/assessors/{assessor_id}",
    "/v1/venues",
    "/v1/venues/{venue_id}",
    "/v1/panel-decisions",
    "/v1/panel-decisions/{panel_decision_id}",
}
# By route template: the action and the purpose of the row.
AUDITED: dict[str, tuple[str, str | None]] = {
    "/v1/assessment-applications": ("applications.listed", None),
    "/v1/assessment-applications/{application_id}": ("applications.read", None),
    "/v1/assessment-applications/{application_id}/name": ("name.read", "confirm-name"),
    "/v1/certificates": ("certificates.listed", None),
    "/v1/certificates/{certificate_id}": ("certificates.read", None),
    "/v1/certificates/{certificate_id}/credential": ("credential.read", "hand-out"),
    "/v1/certificates/{certificate_id}/pdf": ("paper.read", "hand-out"),
}


async def issue_printed(lsp: LspHarness) -> Json:
    """Return a certificate whose paper is archived; the first print takes several reads."""
    certificate = await lsp.issue_certificate()
    path = f"/v1/certificates/{certificate['certificate_id']}/pdf"
    assert (await lsp.officer.get(path)).status_code == 200
    return certificate


def committee(lsp: LspHarness, subject: str, lsp_id: str) -> AsgiClient:
    return lsp.harness.client.as_("committee", subject=subject, lsp=lsp_id)


async def test_every_read_about_a_person_is_audited(lsp: LspHarness) -> None:
    """The row names the reader, the person and the purpose."""
    certificate = await issue_printed(lsp)
    [application] = await lsp.harness.stored("applications", _id=certificate["application_id"])
    origin_ref = application["origin_ref"]
    for template, (action, purpose) in AUDITED.items():
        reader = f"reader-{new_id()}"
        answer = await committee(lsp, reader, lsp.id).get(template.format(**certificate))
        assert answer.status_code == 200, (template, answer.text)
        [row] = await lsp.harness.stored("audit", actor=reader)
        assert (row["action"], row["role"]) == (action, "committee")
        assert row.get("purpose") == purpose
        persons = {row["subject"], row.get("person"), *row.get("refs", ())}
        assert origin_ref in persons, template


async def test_a_refused_read_is_not_audited(lsp: LspHarness) -> None:
    """Nothing was read outside the scope or without the permission."""
    certificate = await issue_printed(lsp)
    for template in AUDITED:
        stranger = f"stranger-{new_id()}"
        path = template.format(**certificate)
        elsewhere = await committee(lsp, stranger, f"lsp-{new_id()}").get(path)
        is_empty_list = elsewhere.status_code == 200 and elsewhere.json()["items"] == []
        assert elsewhere.status_code == 404 or is_empty_list, template
        client = committee(lsp, stranger, lsp.id)
        forbidden = client.as_("committee", subject=stranger, permissions=(), lsp=lsp.id)
        assert (await forbidden.get(path)).status_code == 403
        rows = await lsp.harness.stored("audit", actor=stranger)
        assert [row for row in rows if row.get("refs") != []] == [], template


async def test_every_read_route_is_audited_or_listed_as_without_persons(lsp: LspHarness) -> None:
    reads = {
        route.path
        for route in routes(lsp.harness.client.app)
        if route.methods == {"GET"} and route.path.startswith("/v1/")
    }
    own = {path for path in reads if not path.startswith("/v1/operations/")}
    assert own - WITHOUT_PERSONS == AUDITED.keys()
