"""Programmes over HTTP: everybody reads them, the owner publishes, others copy."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from tests.fakes import AsgiClient
from tests.training import factories

PROGRAMME: dict[str, Any] = {
    "title": "Las",
    "units": [{"code": "A.1", "title": "Mengelas"}],
    "lesson_hours": 160,
}


async def publish(client: AsgiClient, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/programmes", json=PROGRAMME | more)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def publish_edition(client: AsgiClient, programme_id: str, version: int = 1) -> Any:
    return await client.post(
        f"/v1/programmes/{programme_id}/editions",
        json=PROGRAMME | {"title": "Las edisi lain"},
        headers={"if-match": str(version)},
    )


async def test_only_officers_of_the_owner_publish_an_edition(service: AsgiClient) -> None:
    own = factories.officer(service, "LP-AAA")
    stranger = factories.officer(service, "LP-BBB")
    programme = await publish(own)
    assert programme["owner"] == "LP-AAA"
    programme_id = programme["programme_id"]
    shown = await stranger.get(f"/v1/programmes/{programme_id}")
    assert (shown.status_code, shown.json()["owner"]) == (200, "LP-AAA")
    for version in (1, 7):
        refused = await publish_edition(stranger, programme_id, version)
        unknown = await publish_edition(stranger, "tidak-ada", version)
        assert (refused.status_code, refused.json()["code"]) == (404, "programme_unknown")
        assert unknown.json()["code"] == refused.json()["code"]
    published = await publish_edition(own, programme_id)
    assert (published.status_code, len(published.json()["editions"])) == (201, 2)


async def test_a_copy_belongs_to_the_officer_who_copies(service: AsgiClient) -> None:
    own = factories.officer(service, "LP-AAA")
    stranger = factories.officer(service, "LP-BBB")
    original = await publish(own, completion={"min_attended_bps": 9_000})
    await publish_edition(own, original["programme_id"])
    path = f"/v1/programmes/{original['programme_id']}/copies"
    newest = (await stranger.post(path, json={})).json()
    assert (newest["owner"], newest["title"]) == ("LP-BBB", "Las edisi lain")
    first = (await stranger.post(path, json={"edition": 1})).json()
    [edition] = first["editions"]
    assert (edition["number"], edition["completion"]["min_attended_bps"]) == (1, 9_000)
    assert (await publish_edition(stranger, first["programme_id"])).status_code == 201
    none = await stranger.post(path, json={"edition": 3})
    assert (none.status_code, none.json()["code"]) == (404, "edition_unknown")


async def test_the_owner_is_a_facility_of_the_caller(service: AsgiClient) -> None:
    facility = await factories.create_harness(service, [new_id()])
    administrator = factories.administrator(service)
    assert (await publish(administrator))["owner"] == "*"
    named = await publish(administrator, owner=facility.facility_id)
    assert named["owner"] == facility.facility_id
    own = factories.officer(service, "LP-AAA")
    for owner in ("*", "LP-BBB"):
        refused = await own.post("/v1/programmes", json=PROGRAMME | {"owner": owner})
        assert (refused.status_code, refused.json()["field"]) == (422, "owner")
    unknown = await administrator.post("/v1/programmes", json=PROGRAMME | {"owner": "LP-XYZ"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "facility_unknown")
    shared = await publish(administrator)
    assert (await publish_edition(own, shared["programme_id"])).status_code == 404


@pytest.mark.parametrize("claims", [{}, {"facility": ["LP-AAA", "LP-BBB"]}])
async def test_an_officer_without_one_facility_names_the_owner(
    service: AsgiClient, claims: dict[str, Any]
) -> None:
    officer = service.as_("training_officer", **claims)
    refused = await officer.post("/v1/programmes", json=PROGRAMME)
    assert (refused.status_code, refused.json()["code"]) == (422, "owner_needed")
