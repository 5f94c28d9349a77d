"""Routes of candidates: what officers see, and questions that they settle."""

from __future__ import annotations

import pytest

from services.manpower.candidates.custody import RELEASE_KINDS
from tests.manpower.harness import RegionHarness, done, made, refused


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


async def test_an_officer_sets_the_custody_after_an_unknown_release_kind(
    region: RegionHarness,
) -> None:
    """The answer settles the question, and the person may be placed without a permit."""
    ref = await region.admitted()
    await region.handled(await region.publish_release(ref, kind="amnesty_by_comet"))
    path = f"/v1/candidates/{ref}"
    answer = {"custody": "released", "kind": "amnesty", "effective_on": "2026-08-17"}
    officer = region.officer()
    headers = await region.if_match(path)
    body = await done(officer.patch(path, json={"custody": answer}, headers=headers))
    assert (body["custody"], body["release_kind"]) == ("released", "amnesty")
    assert (body["attention"], body["available_from"]) == ([], "2026-08")
    placement = {"candidate_id": ref, "kind": "self_employed", "started_on": "2026-09-01"}
    await made(officer.post("/v1/placements", json=placement))


async def test_a_correction_to_an_end_of_custody_ends_the_consents(region: RegionHarness) -> None:
    ref = await region.admitted()
    await region.consents(ref)
    path = f"/v1/candidates/{ref}"
    answer = {"custody": "ended", "kind": "deportation", "effective_on": "2026-08-17"}
    headers = await region.if_match(path)
    await done(region.officer().patch(path, json={"custody": answer}, headers=headers))
    await refused(region.dinas().get(path), 404, "candidate_unknown")
    headers = await region.if_match(path)
    wrong = answer | {"kind": "free"}
    attempt = region.officer().patch(path, json={"custody": wrong}, headers=headers)
    assert (await refused(attempt, 422, "custody_refused"))["field"] == "custody"


@pytest.mark.scenario("P1/release-kinds")
@pytest.mark.parametrize("kind", sorted(RELEASE_KINDS))
async def test_each_release_kind_gives_its_custody(region: RegionHarness, kind: str) -> None:
    ref = await region.admitted(regency=None)
    await region.handled(await region.publish_release(ref, kind=kind))
    body = await done(region.officer().get(f"/v1/candidates/{ref}"))
    assert body["custody"] == RELEASE_KINDS[kind].value
    assert body["attention"] == []
