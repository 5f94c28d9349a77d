"""From release to work, and a consent that is withdrawn on the way."""

from __future__ import annotations

import json

import pytest

from chassis.ids import new_id
from tests.fakes import eventually
from tests.manpower.fakes import NAME, UNIT
from tests.manpower.harness import WORK_FIELDS, Json, RegionHarness, done, made, refused

SKILLS_COLUMNS = {"id", "version", "consent_expires_at", "name", "skills"}


async def released_applicant(region: RegionHarness) -> tuple[str, str, str]:
    """Return a certified person on conditional release, a vacancy, and the application to it."""
    ref = await region.admitted()
    await region.publish_certificate(ref, new_id())
    await region.known(ref, **{"skills.0": {"$exists": True}})
    release = await region.publish_release(ref, kind="conditional_release", on="2026-11-20")
    await region.handled(release)
    await region.consents(ref, fields=("name", "skills", "availability", *WORK_FIELDS))
    await region.consents(ref, "employer_share")
    vacancy = await region.vacancy(1, units=(UNIT,))
    return ref, vacancy, await region.applies(ref, vacancy)


@pytest.mark.scenario("P1/path")
async def test_from_release_to_work_through_consent_application_and_placement(
    region: RegionHarness,
) -> None:
    ref, vacancy, application = await released_applicant(region)
    dinas = region.dinas()
    employer = region.employer()
    shown = await done(dinas.get(f"/v1/candidates/{ref}"))
    assert (shown["name"], shown["available_from"]) == (NAME, "2026-11")
    assert [skill["scheme_title"] for skill in shown["skills"]] == ["Menjahit"]
    for client, state in (
        (employer, "SELECTED_FOR_INTERVIEW"),
        (dinas, "INTERVIEW_BOOKED"),
        (employer, "OFFERED"),
        (dinas, "ACCEPTED"),
    ):
        await done(region.step(client, application, state))
    terms: Json = {"started_on": "2026-12-01", "permit_number": None}
    before_release = region.place(dinas, application, **terms | {"started_on": "2026-11-19"})
    await refused(before_release, 422, "start_refused")
    placement = await made(region.place(dinas, application, **terms))
    assert (placement["source"], placement["employer_id"]) == ("application", region.employer_id)
    assert "confirmed_by" not in placement
    assert await region.state_of(application) == "PLACED"
    assert (await done(employer.get(f"/v1/vacancies/{vacancy}")))["slots_left"] == 0
    await assert_published(region, ref, placement["id"])
    items, _ = await region.feed(dinas)
    types = [item["type"] for item in items]
    assert types[0] == "candidate.shared"
    assert types[-2:] == ["application.status_changed", "placement.confirmed"]


async def assert_published(region: RegionHarness, ref: str, placement_id: str) -> None:
    """Assert that the placement was published for this person, with these fields only."""
    sent = {"aggregate_id": placement_id, "sent": True}
    [row] = await eventually(lambda: region.db.find("outbox", sent))
    assert (row["type"], row["key"]) == ("manpower.placement-confirmed.v1", ref)
    assert json.loads(row["body"]) == {
        "participant_ref": ref,
        "placement_id": placement_id,
        "kind": "employee",
        "started_on": "2026-12-01",
    }


async def employer_consent(region: RegionHarness, ref: str) -> Json:
    path = f"/v1/consents?candidate_id={ref}"
    consents = (await done(region.officer().get(path)))["items"]
    [consent] = [each for each in consents if each["purpose"] == "employer_share"]
    return consent


@pytest.mark.scenario("P16/officer")
async def test_a_consent_withdrawn_during_an_interview_stops_everything_at_once(
    region: RegionHarness,
) -> None:
    ref, application = await region.applicant(await region.vacancy(), "INTERVIEW_BOOKED")
    employer = region.employer()
    application_path = f"/v1/job-applications/{application}"
    assert (await done(employer.get(application_path)))["state"] == "INTERVIEW_BOOKED"
    assert (await done(employer.get(f"/v1/candidates/{ref}"))).keys() == SKILLS_COLUMNS
    consent = await employer_consent(region, ref)
    withdraw = f"/v1/consents/{consent['id']}/withdraw"
    withdrawn = await done(region.change(region.officer(), withdraw))
    assert withdrawn["ending"] == "withdrawn"
    for path in (f"/v1/candidates/{ref}", application_path):
        assert (await employer.get(path)).status_code == 404
    assert (await region.step(employer, application, "OFFERED")).status_code == 404
    assert await region.state_of(application) == "WITHDRAWN"
    await refused(region.change(region.officer(), withdraw), 409, "consent_ended")


@pytest.mark.scenario("P16/officer")
async def test_a_withdrawn_consent_reaches_the_employers_feed_as_tombstones(
    region: RegionHarness,
) -> None:
    """The Dinas, which has a consent of its own, reads a change."""
    ref, application = await region.applicant(await region.vacancy(), "INTERVIEW_BOOKED")
    employer = region.employer()
    seen, employer_cursor = await region.feed(employer)
    assert {item["subject"]["ref"] for item in seen if item["href"]} == {ref, application}
    _, cursor = await region.feed(region.dinas())
    consent = await employer_consent(region, ref)
    await done(region.change(region.officer(), f"/v1/consents/{consent['id']}/withdraw"))
    tombstones, _ = await region.feed(employer, employer_cursor)
    assert {(item["type"], item["subject"]["ref"], item["href"]) for item in tombstones} == {
        ("candidate.withdrawn", ref, None),
        ("application.withdrawn", application, None),
    }
    assert (await done(employer.get("/v1/snapshot")))["items"] == []
    items, _ = await region.feed(region.dinas(), cursor)
    assert [(item["type"], item["subject"]["ref"]) for item in items] == [
        ("application.status_changed", application)
    ]


@pytest.mark.scenario("P16/officer")
async def test_a_consent_after_a_withdrawal_is_a_new_record_for_one_employer(
    region: RegionHarness,
) -> None:
    other_employer = await region.add_other_employer()
    ref, application = await region.applicant(await region.vacancy(), "INTERVIEW_BOOKED")
    consent = await employer_consent(region, ref)
    await done(region.change(region.officer(), f"/v1/consents/{consent['id']}/withdraw"))
    renewed = await region.consents(ref, "employer_share")
    assert renewed["id"] != consent["id"]
    assert (await region.employer().get(f"/v1/candidates/{ref}")).status_code == 200
    stranger = region.employer(other_employer)
    for path in (f"/v1/candidates/{ref}", f"/v1/job-applications/{application}"):
        assert (await stranger.get(path)).status_code == 404
    assert (await region.feed(stranger))[0] == []
