"""Who sees a person: no row without a consent in force, and identical 404 answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.ids import new_id, utc_now
from tests.fakes import AsgiClient
from tests.manpower.factories import PLACEMENT_BODY
from tests.manpower.harness import RegionHarness, done, refused, without_ids


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


@pytest.mark.scenario("MP-6/query", "P16/officer")
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
    placement = await region.placed(application)
    strangers = [
        region.officer(facility="LP-LAIN"),
        region.dinas(),
        region.employer("usaha-lain"),
    ]
    for path in (
        f"/v1/candidates/{ref}",
        f"/v1/consents/{consent['id']}",
        f"/v1/job-applications/{application}",
        f"/v1/placements/{placement}",
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
    placement = await region.placed(applications[second])
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


OTHER_READERS = (
    ("training_nomination", "dinas_training", "dinas_tk"),
    ("tkm_application", "dinas_kukm", "dinas_tk"),
    ("follow_up_contact", "bapas", "bapas"),
)


@pytest.mark.scenario("MP-6/purpose")
@pytest.mark.parametrize(("purpose", "role", "kind"), OTHER_READERS)
async def test_a_purpose_shows_no_row_of_a_kind_that_it_does_not_open(
    region: RegionHarness, purpose: str, role: str, kind: str
) -> None:
    """Not even the fact of an application; follow-up shows the placement without wage."""
    office = f"kantor-{region.tag}"
    await region.agency(office, kind)
    vacancy = await region.vacancy()
    ref, application = await region.applicant(vacancy, "ACCEPTED")
    fields = ("name", "placement") if purpose == "follow_up_contact" else ("name",)
    await region.consents(ref, purpose, recipient=office, fields=fields)
    placement = await region.placed(application)
    reader = region.dinas(role, agency=office)
    opened = {ref, placement} if role == "bapas" else {ref}
    items, _ = await region.feed(reader)
    assert {item["subject"]["ref"] for item in items} == opened
    snapshot = (await done(reader.get("/v1/snapshot")))["items"]
    assert {item["subject"]["ref"] for item in snapshot} == opened
    for item in snapshot:
        await done(reader.get(item["href"]))
    assert (await reader.get(f"/v1/job-applications/{application}")).status_code == 404
    shown = await reader.get(f"/v1/placements/{placement}")
    assert shown.status_code == (200 if role == "bapas" else 404)
    if role == "bapas":
        assert "wage_band" not in shown.json()
        assert "employer_id" not in shown.json()


@pytest.mark.scenario("MP-6/columns")
async def test_a_consent_that_names_no_work_shows_no_employer_reason_or_wage(
    region: RegionHarness,
) -> None:
    vacancy = await region.vacancy()
    ref = await region.admitted()
    await region.consents(ref, fields=("skills",))
    await region.consents(ref, "employer_share", fields=("skills",))
    application = await region.applies(ref, vacancy, until="ACCEPTED")
    placement = await region.placed(application)
    dinas = region.dinas()
    for path in (f"/v1/job-applications/{application}", f"/v1/placements/{placement}"):
        shown = await done(dinas.get(path))
        assert shown.keys() == {"id", "version", "candidate_id"}
        assert (await listed_ids(dinas, path.rpartition("/")[0])) == [shown["id"]]
    assert await listed_ids(dinas, f"/v1/job-applications?vacancy_id={vacancy}") == []
    await refused(region.step(dinas, application, "WITHDRAWN"), 403, "not_your_step")
    own = await done(region.employer().get(f"/v1/placements/{placement}"))
    assert (own["employer_id"], "wage_band" in own) == (region.employer_id, False)
    full = await done(region.officer().get(f"/v1/placements/{placement}"))
    assert full["wage_band"] == PLACEMENT_BODY["wage_band"]


@pytest.mark.scenario("MP-6/columns")
async def test_a_consent_that_names_the_work_shows_it_to_the_dinas(region: RegionHarness) -> None:
    vacancy = await region.vacancy()
    _, application = await region.applicant(vacancy, "ACCEPTED")
    placement = await region.placed(application)
    dinas = region.dinas()
    shown = await done(dinas.get(f"/v1/placements/{placement}"))
    assert shown["wage_band"] == PLACEMENT_BODY["wage_band"]
    listed = await listed_ids(dinas, f"/v1/job-applications?vacancy_id={vacancy}")
    assert listed == [application]
