"""Merges of two candidates, in any order with other events."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from tests.fakes import eventually
from tests.manpower.harness import RegionHarness, done


@pytest.mark.scenario("P13/merge")
@pytest.mark.parametrize("is_merged_first", [True, False])
async def test_a_merge_moves_consents_applications_and_skills_in_any_order(
    region: RegionHarness, *, is_merged_first: bool
) -> None:
    """A replay of the merge changes nothing."""
    merged = await region.admitted()
    survivor = new_id()
    consent = await region.consents(merged, "employer_share", fields=("name",))
    application = await region.applies(merged, await region.vacancy())
    certificate = new_id()
    if is_merged_first:
        await region.publish_merge(merged, survivor)
        await region.known(survivor)
        last_event = await region.publish_certificate(merged, certificate)
    else:
        await region.handled(await region.publish_certificate(merged, certificate))
        await region.publish_admission(survivor)
        await region.publish_merge(merged, survivor)
        last_event = await region.publish_certificate(survivor, new_id())
    await region.handled(last_event)
    stored = await region.known(survivor, **{"skills.certificate_id": certificate})
    officer = region.officer()
    assert await region.db.find_one("candidates", {"_id": merged}) is None
    assert (await done(officer.get(f"/v1/candidates/{merged}")))["id"] == survivor
    moved_consent = await done(officer.get(f"/v1/consents/{consent['id']}"))
    assert moved_consent["candidate_id"] == survivor
    moved = await done(officer.get(f"/v1/job-applications/{application}"))
    assert (moved["candidate_id"], moved["state"]) == (survivor, "SUBMITTED")
    await region.publish_merge(merged, survivor)
    await region.handled(await region.publish_work(merged))
    after_replay = await region.known(survivor)
    assert after_replay["version"] == stored["version"] + 1
    assert after_replay["skills"] == stored["skills"]


async def test_a_later_merge_in_the_other_direction_changes_nothing(region: RegionHarness) -> None:
    merged = await region.admitted(regency=None)
    survivor = await region.admitted(regency=None)
    await region.publish_merge(merged, survivor)
    alias = {"_id": merged, "into": survivor}
    await eventually(lambda: region.db.find_one("aliases", alias))
    await region.publish_merge(survivor, merged)
    await region.handled(await region.publish_certificate(merged, new_id()))
    await region.handled(await region.publish_release(survivor))
    rows = await region.db.find("aliases", {"_id": {"$in": [merged, survivor]}})
    assert [row["_id"] for row in rows] == [merged]
    for ref in (merged, survivor):
        body = await done(region.officer().get(f"/v1/candidates/{ref}"))
        assert body["id"] == survivor


async def test_an_early_event_of_a_merged_ref_takes_effect_on_the_survivor(
    region: RegionHarness,
) -> None:
    merged = new_id()
    survivor = new_id()
    certificate = new_id()
    event_id = await region.publish_certificate(merged, certificate)
    await eventually(lambda: region.db.find_one("early", {"_id": event_id}))
    await region.publish_merge(merged, survivor)
    await region.publish_admission(survivor)
    assert await region.known(survivor, **{"skills.certificate_id": certificate})


@pytest.mark.scenario("P13/merge")
async def test_a_merge_keeps_the_older_of_two_applications_to_one_vacancy(
    region: RegionHarness,
) -> None:
    """It also keeps one of the two consents for the employer."""
    merged = await region.admitted()
    survivor = await region.admitted()
    vacancy = await region.vacancy(2)
    for ref in (merged, survivor):
        await region.consents(ref, "employer_share", fields=("name",))
    older = await region.applies(merged, vacancy)
    newer = await region.applies(survivor, vacancy)
    await region.publish_merge(merged, survivor)
    moved = {"_id": older, "candidate_id": survivor}
    await eventually(lambda: region.db.find_one("job_applications", moved))
    assert await region.state_of(older) == "SUBMITTED"
    withdrawn = await done(region.officer().get(f"/v1/job-applications/{newer}"))
    assert (withdrawn["state"], withdrawn["history"][-1]["reason"]) == ("WITHDRAWN", "merged")
    path = f"/v1/consents?candidate_id={survivor}"
    consents = (await done(region.officer().get(path)))["items"]
    assert len([consent for consent in consents if consent["ended_at"] is None]) == 1


async def test_a_moved_placement_and_application_reach_their_readers_feeds(
    region: RegionHarness,
) -> None:
    """A Dinas that loses them by the survivor's regency gets tombstones."""
    vacancy = await region.vacancy()
    merged, application = await region.applicant(vacancy, "ACCEPTED")
    placement = await region.placed(application)
    readers = (region.employer(), region.dinas())
    cursors = [(await region.feed(reader))[1] for reader in readers]
    survivor = await region.admitted(regency="19.06")
    await region.publish_merge(merged, survivor)
    moved = {"_id": placement, "candidate_id": survivor}
    await eventually(lambda: region.db.find_one("placements", moved))
    expected = [
        {application: "application.status_changed", placement: "placement.confirmed"},
        {application: "application.withdrawn", placement: "placement.withdrawn"},
    ]
    for reader, cursor, types in zip(readers, cursors, expected, strict=True):
        items, _ = await region.feed(reader, cursor)
        heard = {item["subject"]["ref"]: item["type"] for item in items}
        assert {ref: heard[ref] for ref in types} == types
