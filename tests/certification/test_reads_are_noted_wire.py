"""Whoever reads about a person is noted in the transaction of the read, with the person and what for; whoever is refused has read nothing, and no row says so."""

from __future__ import annotations

from chassis.ids import new_id
from tests.certification.harness import Lsp
from tests.fakes import routes

OF_NOBODY = {  # answers without any person in custody
    "/v1/lsps", "/v1/lsps/{lsp_id}", "/v1/schemes", "/v1/schemes/{edition_id}", "/v1/assessors", "/v1/assessors/{assessor_id}", "/v1/venues", "/v1/venues/{venue_id}",
    "/v1/panel-decisions", "/v1/panel-decisions/{panel_decision_id}",
}  # fmt: skip


async def test_every_read_about_a_person_leaves_a_row_with_reader_person_and_purpose_and_a_refused_one_none(
    lsp: Lsp,
) -> None:
    certificate = await lsp.certificate()
    [application] = await lsp.stage.stored("applications", _id=certificate["application_id"])
    origin, id_, applied = (
        application["origin_ref"],
        certificate["certificate_id"],
        application["_id"],
    )
    assert (
        await lsp.officer.get(f"/v1/certificates/{id_}/pdf")
    ).status_code == 200  # its first reader has it printed, in several steps
    reads = {  # template: path, action, purpose
        "/v1/assessment-applications": ("/v1/assessment-applications", "applications.listed", None),
        "/v1/assessment-applications/{application_id}": (
            f"/v1/assessment-applications/{applied}",
            "applications.read",
            None,
        ),
        "/v1/assessment-applications/{application_id}/name": (
            f"/v1/assessment-applications/{applied}/name",
            "name.read",
            "confirm-name",
        ),
        "/v1/certificates": ("/v1/certificates", "certificates.listed", None),
        "/v1/certificates/{certificate_id}": (f"/v1/certificates/{id_}", "certificates.read", None),
        "/v1/certificates/{certificate_id}/credential": (
            f"/v1/certificates/{id_}/credential",
            "credential.read",
            "hand-out",
        ),
        "/v1/certificates/{certificate_id}/pdf": (
            f"/v1/certificates/{id_}/pdf",
            "paper.read",
            "hand-out",
        ),
    }
    reader, stranger = f"reader-{id_}", f"stranger-{id_}"
    for template, (path, action, purpose) in reads.items():
        before = len(await lsp.stage.stored("audit", actor=reader))
        answer = await lsp.stage.client.as_("committee", subject=reader, lsp=lsp.id).get(path)
        assert answer.status_code == 200, (template, answer.text)
        rows = sorted(await lsp.stage.stored("audit", actor=reader), key=lambda row: row["_id"])
        assert len(rows) == before + 1, template
        assert (rows[-1]["action"], rows[-1]["role"], rows[-1].get("purpose")) == (
            action,
            "committee",
            purpose,
        )
        assert origin in {rows[-1]["subject"], rows[-1].get("person"), *rows[-1].get("refs", ())}, (
            template
        )
        elsewhere = await lsp.stage.client.as_(
            "committee", subject=stranger, lsp=f"lsp-{new_id()}"
        ).get(path)
        assert elsewhere.status_code == 404 or elsewhere.json()["items"] == [], template
        assert (
            await lsp.stage.client.as_(
                "committee", subject=stranger, permissions=(), lsp=lsp.id
            ).get(path)
        ).status_code == 403
        assert not [
            row for row in await lsp.stage.stored("audit", actor=stranger) if row.get("refs") != []
        ], template
    read = {
        route.path
        for route in routes(lsp.stage.client.app)
        if route.methods == {"GET"}
        and route.path.startswith("/v1/")
        and not route.path.startswith("/v1/operations/")
    }
    assert read - OF_NOBODY == reads.keys()
