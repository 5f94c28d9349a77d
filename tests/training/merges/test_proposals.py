"""Merge proposals across two facilities: one officer of each side, or one who holds both."""

from __future__ import annotations

import os
from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient, not_four_eyes
from tests.training import factories
from tests.training.factories import FacilityHarness

REASON = {"reason": "sidik jari sama"}


def new_nik() -> str:
    """Return a NIK with a random serial, which no other test has."""
    return f"99030145039{int.from_bytes(os.urandom(4)) % 89_999 + 10_000}"


async def propose(service: AsgiClient) -> tuple[FacilityHarness, FacilityHarness, str, str]:
    """Hold one NIK in two facilities; return both, the person and the other record."""
    nik = new_nik()
    here = new_id()
    there = new_id()
    one = await factories.create_harness(service, {here: {"NIK": nik, "JK": "P"}})
    other = await factories.create_harness(service, {there: {"NIK": nik, "JK": "P"}})
    return one, other, here, there


def registry(facility: FacilityHarness, subject: str = "", on_behalf_of: str = "") -> AsgiClient:
    name = subject or f"registrasi-{facility.facility_id}"
    client = factories.officer(facility.client, facility.facility_id, "registry_operator")
    return client.by(name, on_behalf_of)


async def read_proposal(client: AsgiClient) -> dict[str, Any]:
    [task] = await factories.list_all(client, "/v1/training-tasks", kind="MERGE_PROPOSAL")
    return task


async def decide(client: AsgiClient, choice: str, **more: str) -> Any:
    task = await read_proposal(client)
    return await client.post(
        f"/v1/training-tasks/{task['id']}/merge-decision",
        json={"choice": choice} | REASON | more,
        headers={"if-match": str(task["version"])},
    )


@pytest.mark.scenario("T6")
async def test_a_proposal_across_facilities_is_decided_by_one_of_each_side(
    service: AsgiClient,
) -> None:
    one, other, here, there = await propose(service)
    first = await decide(registry(other), "merge")
    assert (first.status_code, first.json()["state"]) == (200, "OPEN")
    shown = await read_proposal(registry(one))
    assert shown["facts"][f"decision_{other.facility_id}"] == "merge"
    assert (await factories.read_person(one, here))["state"] == "held"
    second = await decide(registry(one), "merge")
    assert (second.status_code, second.json()["state"], second.json()["resolution"]) == (
        200,
        "RESOLVED",
        "merged",
    )
    read = factories.administrator(service)
    refs = [one.refs[here], other.refs[there]]
    people = [(await read.get(f"/v1/participants/{ref}")).json() for ref in refs]
    assert people[0]["participant_ref"] == people[1]["participant_ref"]
    merged = await factories.database(service).find(
        "outbox", {"type": "training.participant-merged.v1", "key": {"$in": refs}}
    )
    assert sorted(row["key"] for row in merged) == sorted(refs)
    again = await decide(registry(one), "merge")
    assert (again.status_code, again.json()["code"]) == (409, "proposal_decided")


@pytest.mark.scenario("T6")
async def test_records_kept_apart_by_both_sides_are_not_proposed_again(
    service: AsgiClient,
) -> None:
    one, other, here, there = await propose(service)
    await decide(registry(one), "keep_apart")
    kept = await decide(registry(other), "keep_apart")
    assert (kept.json()["state"], kept.json()["resolution"]) == ("RESOLVED", "kept_apart")
    nik = new_nik()
    await one.list_again(**{here: {"NIK": nik}})
    await other.list_again(**{there: {"NIK": nik}})
    assert (await read_proposal(registry(one)))["state"] == "RESOLVED"
    assert (await factories.read_person(one, here))["state"] == "held"


async def test_sides_that_differ_leave_the_proposal_open(service: AsgiClient) -> None:
    one, other, here, _ = await propose(service)
    await decide(registry(one), "merge")
    differing = await decide(registry(other), "keep_apart")
    assert differing.json()["state"] == "OPEN"
    agreed = await decide(registry(other), "merge")
    assert agreed.json()["state"] == "RESOLVED"
    assert (await factories.read_person(one, here))["state"] in {"held", "merged"}


async def test_one_officer_who_holds_both_facilities_decides_alone(service: AsgiClient) -> None:
    one, other, _, _ = await propose(service)
    both = service.as_("registry_operator", facility=[one.facility_id, other.facility_id])
    assert (await decide(both, "merge")).json()["state"] == "RESOLVED"


async def test_one_person_does_not_decide_for_both_sides(service: AsgiClient) -> None:
    one, other, _, _ = await propose(service)
    assert (await decide(registry(one, "budi", "ani"), "merge")).status_code == 200
    for actor in not_four_eyes("budi", "ani"):
        refused = await decide(registry(other, *actor), "merge")
        assert (refused.status_code, refused.json()["code"]) == (422, "same_person_decides"), actor
    assert (await read_proposal(registry(one)))["state"] == "OPEN"


async def test_a_proposal_is_resolved_only_by_its_sides(service: AsgiClient) -> None:
    one, _, _, _ = await propose(service)
    task = await read_proposal(registry(one))
    path = f"/v1/training-tasks/{task['id']}"
    refused = await factories.change(
        registry(one), f"{path}/resolutions", {"resolution": "kept_apart"}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "decided_by_sides")
    stranger = factories.officer(service, "LP-LAIN", "registry_operator")
    unseen = await stranger.post(
        f"{path}/merge-decision", json={"choice": "merge"} | REASON, headers={"if-match": "1"}
    )
    assert (unseen.status_code, unseen.json()["code"]) == (404, "item_unknown")
