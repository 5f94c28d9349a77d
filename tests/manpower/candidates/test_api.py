"""Routes of candidates: what officers see, and questions that they settle."""

from __future__ import annotations

from tests.manpower.harness import RegionHarness, done, refused


async def test_only_officers_of_the_facility_see_an_admitted_candidate(
    region: RegionHarness,
) -> None:
    ref = await region.admitted(regency=None)
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert (body["facility_id"], body["custody"]) == (region.facility, "inside")
    assert (body["horizon"], body["skills"]) == ("unknown", [])
    stranger = region.officer(facility="LP-LAIN")
    await refused(stranger.get(f"/v1/candidates/{ref}"), 404, "candidate_unknown")
    assert (await done(stranger.get("/v1/candidates")))["items"] == []


async def test_only_the_month_of_an_expected_release_is_stored(region: RegionHarness) -> None:
    ref = await region.admitted(regency=None)
    await region.publish_release_plan(ref, on="2027-06-17")
    stored = await region.known(ref, **{"plan.month": "2027-06"})
    assert "2027-06-17" not in str(stored)
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert body["available_from"] == "2027-06"


async def test_a_release_of_an_unknown_kind_only_asks_an_officer(region: RegionHarness) -> None:
    """The question stays until an officer settles it."""
    ref = await region.admitted(regency=None)
    await region.handled(await region.publish_release(ref, kind="amnesty_by_comet"))
    officer = region.officer()
    [item] = (await done(officer.get("/v1/candidates?attention=true")))["items"]
    assert (item["id"], item["custody"]) == (ref, "inside")
    assert item["attention"] == ["release_kind_unknown"]
    path = f"/v1/candidates/{ref}"
    body = {"attended": ["release_kind_unknown"]}
    await done(officer.patch(path, json=body, headers=await region.if_match(path)))
    assert (await done(officer.get("/v1/candidates?attention=true")))["items"] == []
