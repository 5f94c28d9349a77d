"""Whoever reads about a person is noted in the transaction of the read, with the person, and outside the prison with purpose and consent; whoever is refused has read nothing."""

from __future__ import annotations

from tests.fakes import routes
from tests.manpower.harness import Region, made

OF_NOBODY = {  # answers without any person
    "/v1/agencies", "/v1/agencies/{agency_id}", "/v1/agency-routes", "/v1/consents/texts", "/v1/consumers", "/v1/consumers/{consumer_id}", "/v1/production-statistics",
    "/v1/vacancies", "/v1/vacancies/{vacancy_id}",
}  # fmt: skip


async def test_every_read_about_a_person_leaves_a_row_with_reader_person_and_purpose_and_a_refused_one_none(
    region: Region,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref)
    await region.consents(ref, "employer_share")
    await region.tell_released(ref)
    vacancy = await region.vacancy()
    application = await region.applies(ref, vacancy, until="ACCEPTED")
    terms = {"application_id": application, "kind": "employee", "started_on": "2026-12-01"}
    placement = (await made(region.officer().post("/v1/placements", json=terms)))["id"]
    await region.numbered()
    reads = {  # template: path, action
        "/v1/candidates": ("/v1/candidates", "candidates.listed"),
        "/v1/candidates/{candidate_id}": (f"/v1/candidates/{ref}", "candidates.read"),
        "/v1/consents": (f"/v1/consents?candidate_id={ref}", "consents.listed"),
        "/v1/consents/{consent_id}": (f"/v1/consents/{consent['id']}", "consents.read"),
        "/v1/job-applications": ("/v1/job-applications", "applications.listed"),
        "/v1/job-applications/{application_id}": (
            f"/v1/job-applications/{application}",
            "applications.read",
        ),
        "/v1/placements": ("/v1/placements", "placements.listed"),
        "/v1/placements/{placement_id}": (f"/v1/placements/{placement}", "placements.read"),
    }
    outside = {
        "/v1/feed": ("/v1/feed", "feed.read"),
        "/v1/snapshot": ("/v1/snapshot", "snapshot.read"),
    }
    reader, stranger, client = (
        f"reader-{region.tag}",
        f"stranger-{region.tag}",
        region.service.client,
    )
    officer, dinas = (
        client.as_("case_officer", subject=reader, facility=region.facility),
        region.dinas(subject=reader),
    )
    for template, (path, action) in (reads | outside).items():
        before = await region.db.count("audit", {"actor": reader})
        answer = await (dinas if template in outside else officer).get(path)
        assert answer.status_code == 200, (template, answer.text)
        rows = await region.db.find("audit", {"actor": reader}, sort=[("_id", 1)])
        assert len(rows) == before + 1, template
        assert (rows[-1]["action"], rows[-1]["role"]) == (
            action,
            "dinas_placement" if template in outside else "case_officer",
        )
        assert ref in {rows[-1]["subject"], rows[-1].get("person"), *rows[-1].get("refs", ())}, (
            template
        )
        elsewhere = await client.as_("case_officer", subject=stranger, facility="LP-LAIN").get(path)
        assert elsewhere.status_code in {403, 404} or elsewhere.json()["items"] == [], template
        assert (
            await client.as_(
                "case_officer", subject=stranger, permissions=(), facility=region.facility
            ).get(path)
        ).status_code == 403
        assert not [
            row
            for row in await region.db.find("audit", {"actor": stranger})
            if row.get("refs") != []
        ], template
    read = {
        route.path
        for route in routes(client.app)
        if route.methods == {"GET"}
        and route.path.startswith("/v1/")
        and not route.path.startswith("/v1/operations/")
    }
    assert read - OF_NOBODY == (reads | outside).keys()

    assert (await dinas.get(f"/v1/candidates/{ref}")).status_code == 200
    [told] = await region.db.find("audit", {"actor": reader, "action": "candidates.disclosed"})
    assert (told["subject"], told["purpose"], told["recipient"], told["consent"]) == (
        ref,
        "dinas_registration",
        region.dinas_id,
        consent["id"],
    )
    assert "name" in told["fields"]
    assert (
        await region.dinas(agency="dinas-lain", subject=stranger).get(f"/v1/candidates/{ref}")
    ).status_code == 404
    assert (
        await region.db.count("audit", {"actor": stranger, "action": "candidates.disclosed"}) == 0
    )
