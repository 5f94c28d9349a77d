"""Who sees a person: no row without a consent in force, and identical 404 answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.ids import new_id, utc_now
from tests.fakes import AsgiClient
from tests.manpower.factories import PLACEMENT_BODY
from tests.manpower.harness import RegionHarness, done, made, refused, without_ids


async def listed_ids(client: AsgiClient, path: str) -> list[str]:
    return [item["id"] for item in (await done(client.get(path)))["items"]]


async def assert_sees_nothing(region: RegionHarness, client: AsgiClient, ref: str) -> None:
    assert await listed_ids(client, "/v1/candidates") == []
    await refused(client.get(f"/v1/candidates/{ref}"), 404, "candidate_unknown")
    assert (await region.feed(client))[0] == []
    assert (await done(client.get("/v1/snapshot")))["items"] == []


@pytest.mark.scenario("P4/lists-and-feed", "MP-1/rows")
async def test_without_a_consent_the_dinas_sees_no_row_anywhere(region: RegionHarness) -> None:
    await assert_sees_nothing(region, region.dinas(), await region.admitted())


@pytest.mark.scenario("P4/lists-and-feed", "MP-1/rows")
@pytest.mark.parametrize(
    ("role", "claims"),
    [
        ("dinas_placement", {}),
        ("dinas_placement", {"agency": "DINAS"}),
        ("dinas_placement", {"regency": "19.02"}),
        ("dinas_placement", {"agency": "DINAS", "regency": "19.06"}),
        ("dinas_placement", {"agency": "dinas-salah-eja", "regency": "19.02"}),
        ("dinas_placement", {"agency": "*", "regency": "*"}),
        ("dinas_training", {"agency": "DINAS", "regency": "19.02"}),
        ("dinas_placment", {"agency": "DINAS", "regency": "19.02"}),
        ("employer", {"employer": "DINAS"}),
        ("kanwil", {"agency": "DINAS"}),
    ],
)
async def test_a_missing_empty_or_misspelt_claim_shows_no_candidate(
    region: RegionHarness, role: str, claims: dict[str, str]
) -> None:
    """The Dinas with all its claims sees the candidate at the same time."""
    ref = await region.admitted()
    await region.consents(ref)
    assert await listed_ids(region.dinas(), "/v1/candidates") == [ref]
    own_claims = {
        name: region.dinas_id if value == "DINAS" else value for name, value in claims.items()
    }
    await assert_sees_nothing(region, region.service.client.as_(role, **own_claims), ref)


@pytest.mark.scenario("P4/not-found")
async def test_a_candidate_of_another_regency_looks_like_an_unknown_one(
    region: RegionHarness,
) -> None:
    """Training is not asked for a name."""
    other_dinas = f"{region.dinas_id}-timur"
    await region.agency(other_dinas, "dinas_tk", regencies=("19.06",))
    ref = await region.admitted(regency="19.06")
    await region.consents(ref, recipient=other_dinas)
    requests = region.service.training.requests[:]
    hidden = await region.dinas().get(f"/v1/candidates/{ref}")
    unknown = await region.dinas().get(f"/v1/candidates/{new_id()}")
    assert hidden.status_code == 404
    assert without_ids(hidden) == without_ids(unknown)
    assert region.service.training.requests == requests


@pytest.mark.scenario("MP-6/query", "P16")
async def test_a_row_is_visible_until_the_moment_of_the_consents_expiry(
    region: RegionHarness,
) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, fields=("skills",), days=1)
    stored = await region.db.find_one("consents", {"_id": consent["id"]})
    expires_at = stored["expires_at"]
    dinas = region.dinas()
    region.travel(expires_at - timedelta(milliseconds=1))
    assert (await dinas.get(f"/v1/candidates/{ref}")).status_code == 200
    assert await listed_ids(dinas, "/v1/candidates") == [ref]
    for moment in (expires_at, utc_now() + timedelta(days=2)):
        region.travel(moment)
        assert (await dinas.get(f"/v1/candidates/{ref}")).status_code == 404
        assert await listed_ids(dinas, "/v1/candidates") == []


@pytest.mark.scenario("P3/services", "P4/not-found")
async def test_every_read_of_another_facilitys_person_answers_404(region: RegionHarness) -> None:
    ref = await region.admitted()
    consent = await region.consents(ref, "employer_share", fields=("name",))
    application = await region.applies(ref, await region.vacancy(), until="ACCEPTED")
    body = PLACEMENT_BODY | {"application_id": application}
    placement = await made(region.officer().post("/v1/placements", json=body))
    strangers = [
        region.officer(facility="LP-LAIN"),
        region.dinas(),
        region.employer("usaha-lain"),
    ]
    for path in (
        f"/v1/candidates/{ref}",
        f"/v1/consents/{consent['id']}",
        f"/v1/job-applications/{application}",
        f"/v1/placements/{placement['id']}",
    ):
        assert (await region.officer().get(path)).status_code == 200
        for stranger in strangers:
            assert (await stranger.get(path)).status_code == 404, path
    for path in ("/v1/candidates", "/v1/consents", "/v1/job-applications", "/v1/placements"):
        for stranger in strangers:
            assert await listed_ids(stranger, path) == [], path


@pytest.mark.scenario("MP-1/rows")
async def test_each_employer_sees_only_what_was_sent_to_itself(region: RegionHarness) -> None:
    """One person consented to two employers; the second one employs the person."""
    first = region.employer_id
    second = await region.add_other_employer()
    ref = await region.admitted()
    applications: dict[str, str] = {}
    for employer in (first, second):
        await region.consents(ref, "employer_share", recipient=employer, fields=("name",))
        vacancy = await region.vacancy(employer=employer)
        applications[employer] = await region.applies(ref, vacancy, until="ACCEPTED")
    body = PLACEMENT_BODY | {"application_id": applications[second]}
    placement = (await made(region.officer().post("/v1/placements", json=body)))["id"]
    placements = {first: [], second: [placement]}
    for employer, application in applications.items():
        client = region.employer(employer)
        assert await listed_ids(client, "/v1/job-applications") == [application]
        assert await listed_ids(client, "/v1/placements") == placements[employer]
        for other in applications.values():
            expected = 200 if other == application else 404
            answer = await client.get(f"/v1/job-applications/{other}")
            assert answer.status_code == expected
        expected = 200 if employer == second else 404
        assert (await client.get(f"/v1/placements/{placement}")).status_code == expected
    await region.numbered()
    foreign = {
        "subject_ref": {"$in": [applications[second], placement]},
        "audiences": f"{first}/employer_share",
    }
    assert await region.db.find("feed_entries", foreign) == []
