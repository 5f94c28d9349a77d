"""Every read about a person writes who read it, and for outside readers the consent."""

from __future__ import annotations

from tests.fakes import AsgiClient, routes
from tests.manpower.harness import Json, RegionHarness

READS_WITHOUT_PERSON = {
    "/v1/agencies",
    "/v1/agencies/{agency_id}",
    "/v1/agency-routes",
    "/v1/consents/texts",
    "/v1/consumers",
    "/v1/consumers/{consumer_id}",
    "/v1/consumers/{consumer_id}/credentials",
    "/v1/production-statistics",
    "/v1/vacancies",
    "/v1/vacancies/{vacancy_id}",
}
OUTSIDE_READS = {
    "/v1/feed": ("/v1/feed", "feed.read"),
    "/v1/snapshot": ("/v1/snapshot", "snapshot.read"),
}


async def placed_person(region: RegionHarness) -> tuple[str, Json, str, str]:
    """Return a person who was placed, the consent for the Dinas, application and placement."""
    ref = await region.admitted()
    consent = await region.consents(ref)
    await region.consents(ref, "employer_share")
    await region.publish_release(ref)
    application = await region.applies(ref, await region.vacancy(), until="ACCEPTED")
    await region.known(ref, **{"stay.custody": "released"})
    return ref, consent, application, await region.placed(application)


async def assert_audited(
    region: RegionHarness, reader: AsgiClient, path: str, action: str, ref: str
) -> None:
    """Assert that a read by this caller writes one row with the action, the role and the person."""
    subject = reader.caller.subject
    before = await region.db.count("audit", {"actor": subject})
    answer = await reader.get(path)
    assert answer.status_code == 200, (path, answer.text)
    rows = await region.db.find("audit", {"actor": subject}, sort=[("_id", 1)])
    assert len(rows) == before + 1, path
    row = rows[-1]
    assert (row["action"], row["role"]) == (action, reader.caller.role)
    assert ref in {row["subject"], row.get("person"), *row.get("refs", ())}, path


async def assert_refused_read_is_not_audited(region: RegionHarness, path: str) -> None:
    """Assert that callers of another facility or without permission read and write nothing."""
    client = region.service.client
    subject = f"stranger-{region.tag}"
    elsewhere = client.as_("case_officer", subject=subject, facility="LP-LAIN")
    answer = await elsewhere.get(path)
    assert answer.status_code in {403, 404} or answer.json()["items"] == [], path
    powerless = client.as_(
        "case_officer", subject=subject, permissions=(), facility=region.facility
    )
    assert (await powerless.get(path)).status_code == 403
    rows = await region.db.find("audit", {"actor": subject})
    assert [row for row in rows if row.get("refs") != []] == [], path


async def test_every_read_about_a_person_is_audited_and_a_refused_one_is_not(
    region: RegionHarness,
) -> None:
    ref, consent, application, placement = await placed_person(region)
    await region.numbered()
    officer_reads = {
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
    for path, action in officer_reads.values():
        await assert_audited(region, region.officer(), path, action, ref)
        await assert_refused_read_is_not_audited(region, path)
    for path, action in OUTSIDE_READS.values():
        await assert_audited(region, region.dinas(), path, action, ref)
        await assert_refused_read_is_not_audited(region, path)
    reads = {
        route.path
        for route in routes(region.service.client.app)
        if route.methods == {"GET"} and route.path.startswith("/v1/")
    }
    operator_reads = {path for path in reads if path.startswith("/v1/operations/")}
    audited = officer_reads.keys() | OUTSIDE_READS.keys()
    assert reads - operator_reads - READS_WITHOUT_PERSON == audited


async def test_a_disclosure_is_audited_with_purpose_recipient_and_consent(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref)
    dinas = region.dinas()
    assert (await dinas.get(f"/v1/candidates/{ref}")).status_code == 200
    rows = await region.db.find("audit", {"action": "candidates.disclosed", "subject": ref})
    [row] = rows
    assert (row["actor"], row["purpose"]) == (dinas.caller.subject, "dinas_registration")
    assert (row["recipient"], row["consent"]) == (region.dinas_id, consent["id"])
    assert "name" in row["fields"]


async def test_a_refused_disclosure_is_not_audited(region: RegionHarness) -> None:
    ref = await region.admitted()
    await region.consents(ref)
    stranger = region.dinas(agency="dinas-lain")
    assert (await stranger.get(f"/v1/candidates/{ref}")).status_code == 404
    disclosed = {"action": "candidates.disclosed", "subject": ref}
    assert await region.db.count("audit", disclosed) == 0
