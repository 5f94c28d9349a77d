"""Routes of consumers: suspension refuses reads and keeps the cursor."""

from __future__ import annotations

import pytest

from tests.manpower.harness import Json, RegionHarness, done, made, refused

OUTSIDE_READS = (
    "/v1/feed",
    "/v1/snapshot",
    "/v1/candidates",
    "/v1/job-applications",
    "/v1/placements",
    "/v1/vacancies",
    "/v1/agencies",
)


async def active_consumer(region: RegionHarness, credential: str) -> str:
    """Request, approve and connect a consumer of the Dinas; return its path."""
    form = region.consumer_form(region.dinas_id, "dinas_placement")
    consumer = await made(region.administrator().post("/v1/consumers", json=form))
    path = f"/v1/consumers/{consumer['id']}"
    await done(region.change(region.administrator("administrator-2"), f"{path}/approve"))
    body: Json = {"credential_ref": credential}
    await done(region.change(region.administrator(), f"{path}/credentials", json=body))
    return path


@pytest.mark.scenario("P6/api-and-feed", "MP-2/suspended")
async def test_a_suspended_consumer_is_refused_and_later_continues_its_feed(
    region: RegionHarness,
) -> None:
    """A caller of the same agency who is no credential of the consumer still reads."""
    credential = f"machine-{region.tag}"
    consumer = await active_consumer(region, credential)
    machine = region.dinas(subject=credential)
    refs = [await region.admitted() for _ in range(3)]
    await region.consents(refs[0], fields=("skills",))
    before, cursor = await region.feed(machine)
    administrator = region.administrator()
    await done(region.change(administrator, f"{consumer}/suspend", json={"reason": "insiden"}))
    for path in (*OUTSIDE_READS, f"/v1/feed?after={cursor}", f"/v1/candidates/{refs[0]}"):
        await refused(machine.get(path), 403, "consumer_suspended")
    assert (await region.dinas().get("/v1/candidates")).status_code == 200
    for ref in refs[1:]:
        await region.consents(ref, fields=("skills",))
    await done(region.change(administrator, f"{consumer}/resume"))
    after, _ = await region.feed(machine, cursor)
    assert [item["subject"]["ref"] for item in before] == refs[:1]
    assert [item["subject"]["ref"] for item in after] == refs[1:]


async def test_a_change_of_a_consumer_needs_if_match_with_its_version(
    region: RegionHarness,
) -> None:
    consumer = await active_consumer(region, f"machine-{region.tag}")
    administrator = region.administrator()
    path = f"{consumer}/suspend"
    body = {"reason": "coba"}
    await refused(administrator.post(path, json=body), 428, "version_required")
    stale = administrator.post(path, json=body, headers={"if-match": '"1"'})
    await refused(stale, 412, "version_differs")
