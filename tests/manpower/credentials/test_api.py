"""Routes of credentials: who proposes, who approves, and what the gateway knows."""

from __future__ import annotations

from tests.manpower.harness import Json, RegionHarness, done, made, refused


async def consumer_path(region: RegionHarness) -> str:
    """Request and approve a consumer of the Dinas; return its path."""
    form = region.consumer_form(region.dinas_id, "dinas_placement")
    consumer = await made(region.administrator().post("/v1/consumers", json=form))
    path = f"/v1/consumers/{consumer['id']}"
    await done(region.change(region.administrator("administrator-2"), f"{path}/approve"))
    return path


async def proposed(region: RegionHarness, path: str, reference: str, user_id: str) -> Json:
    """Propose a user of no prison as a credential; return it."""
    region.service.gateway.homes[user_id] = [""]
    form = region.credential_form(reference)
    return await made(region.administrator().post(f"{path}/credentials", json=form))


async def test_a_credential_is_proposed_approved_and_detached_by_two_persons(
    region: RegionHarness,
) -> None:
    user_id = f"user-{region.tag}"
    client_id = f"sistem-{region.tag}"
    region.service.gateway.systems[client_id] = user_id
    path = await consumer_path(region)
    credential = await proposed(region, path, client_id, user_id)
    assert (credential["state"], credential["user_id"]) == ("proposed", user_id)
    step = f"/v1/consumer-credentials/{credential['id']}"
    await refused(region.change(region.administrator(), f"{step}/approve"), 403, "same_eyes")
    above = region.administrator("administrator-3", "*")
    await refused(region.change(above, f"{step}/approve"), 403, "approver_looks_after_user")
    head = region.officer("head")
    assert (await done(region.change(head, f"{step}/approve")))["state"] == "approved"
    body = {"reason": "rotasi kunci"}
    await done(region.change(head, f"{step}/detach", json=body))
    await refused(region.change(head, f"{step}/approve"), 403, "same_eyes")
    second = region.administrator("administrator-2")
    assert (await done(region.change(second, f"{step}/approve")))["state"] == "ended"
    listed = await done(region.administrator().get(f"{path}/credentials"))
    assert [item["state"] for item in listed["items"]] == ["ended"]


async def test_a_credential_must_be_an_existing_user_of_no_prison_for_a_time(
    region: RegionHarness,
) -> None:
    path = f"{await consumer_path(region)}/credentials"
    administrator = region.administrator()
    unknown = region.credential_form(f"nobody-{region.tag}")
    await refused(administrator.post(path, json=unknown), 422, "credential_user_unknown")
    own = f"evil-{region.tag}"
    region.service.gateway.homes[own] = [region.facility]
    form = region.credential_form(own)
    await refused(administrator.post(path, json=form), 422, "credential_of_prison")
    region.service.gateway.homes[own] = [""]
    endless = region.credential_form(own, days=5000)
    await refused(administrator.post(path, json=endless), 422, "credential_period_refused")
    text = form | {"credential_ref": "apa saja/../x"}
    await refused(administrator.post(path, json=text), 422, "body_invalid")
    await refused(administrator.post(path, json={"credential_ref": own}), 422, "body_invalid")
    await made(administrator.post(path, json=form))
    await refused(administrator.post(path, json=form), 409, "credential_taken")


async def test_another_prison_reads_credentials_and_changes_none(region: RegionHarness) -> None:
    path = await consumer_path(region)
    credential = await proposed(region, path, f"user-{region.tag}", f"user-{region.tag}")
    stranger = region.administrator("administrator-9", "LP-EVIL")
    form = region.credential_form(f"user-{region.tag}")
    await refused(stranger.post(f"{path}/credentials", json=form), 404, "consumer_unknown")
    step = f"/v1/consumer-credentials/{credential['id']}"
    await refused(region.change(stranger, f"{step}/approve"), 404, "credential_unknown")
    body = {"reason": "coba"}
    for verb in ("return", "detach"):
        attempt = region.change(stranger, f"{step}/{verb}", json=body)
        await refused(attempt, 404, "credential_unknown")
    listed = await done(stranger.get(f"{path}/credentials"))
    assert [item["id"] for item in listed["items"]] == [credential["id"]]


async def test_a_returned_proposal_may_be_made_again(region: RegionHarness) -> None:
    path = await consumer_path(region)
    user_id = f"user-{region.tag}"
    credential = await proposed(region, path, user_id, user_id)
    step = f"/v1/consumer-credentials/{credential['id']}"
    headers = {"if-match": '"9"'}
    stale = region.officer("head").post(f"{step}/approve", headers=headers)
    await refused(stale, 412, "version_differs")
    body = {"reason": "keliru"}
    await done(region.change(region.officer("head"), f"{step}/return", json=body))
    await proposed(region, path, user_id, user_id)
