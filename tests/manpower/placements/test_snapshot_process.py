"""The snapshot with content: what each `href` would show, and names by one query."""

from __future__ import annotations

from tests.manpower.fakes import NAME
from tests.manpower.harness import WORK_FIELDS, RegionHarness, done


async def test_a_snapshot_with_content_shows_what_each_href_shows(region: RegionHarness) -> None:
    vacancy = await region.vacancy()
    ref, application = await region.applicant(vacancy, "ACCEPTED")
    placement = await region.placed(application)
    dinas = region.dinas()
    requests = region.service.training.requests
    del requests[:]
    page = await done(dinas.get("/v1/snapshot?content=true"))
    assert [refs for _, refs in requests] == [[ref]]
    contents = {item["subject"]["ref"]: item["content"] for item in page["items"]}
    assert contents.keys() == {ref, application, placement}
    assert contents[ref]["name"] == NAME
    for item in page["items"]:
        assert item["content"] == await done(dinas.get(item["href"]))


async def test_a_snapshot_without_content_has_none_and_asks_no_name(region: RegionHarness) -> None:
    ref = await region.admitted()
    await region.consents(ref, fields=("name", "skills", *WORK_FIELDS))
    requests = region.service.training.requests
    del requests[:]
    [item] = (await done(region.dinas().get("/v1/snapshot")))["items"]
    assert "content" not in item
    assert requests == []


async def test_a_snapshot_with_content_is_paged_and_ends_at_the_feed(region: RegionHarness) -> None:
    refs = await region.shared(3)
    dinas = region.dinas()
    seen: list[str] = []
    path = "/v1/snapshot?content=true&limit=2"
    page = await done(dinas.get(path))
    while page["next_cursor"] is not None:
        seen += [item["content"]["id"] for item in page["items"]]
        page = await done(dinas.get(f"{path}&cursor={page['next_cursor']}"))
    seen += [item["content"]["id"] for item in page["items"]]
    assert sorted(seen) == sorted(refs)
    assert (await done(dinas.get(f"/v1/feed?after={page['feed_cursor']}")))["items"] == []
