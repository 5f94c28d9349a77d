"""How a request that cannot be used is answered."""

from __future__ import annotations

import json

import pytest

from chassis.ids import new_id
from tests.chassis.harness import Harness


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_without_the_json_content_type_is_415(
    harness: Harness, content_type: str
) -> None:
    body = json.dumps({"id": new_id(), "owner_ref": new_id(), "room": "north"}).encode()
    headers = {"content-type": content_type} if content_type else {}
    answer = await harness.client.post("/v1/jars", content=body, headers=headers)
    content = answer.json()
    assert (answer.status_code, content["code"]) == (415, "not_json")
    assert content["field"] == "content-type"
    assert "content-type: application/json" in content["title"]


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
async def test_a_json_body_is_read_under_each_spelling_of_its_type(
    harness: Harness, content_type: str
) -> None:
    body = json.dumps({"id": new_id(), "owner_ref": new_id(), "room": "north"}).encode()
    keeper = harness.client.as_("keeper", facility="north")
    answer = await keeper.post("/v1/jars", content=body, headers={"content-type": content_type})
    assert answer.status_code == 201, answer.text


async def test_no_body_at_all_names_no_content_type(harness: Harness) -> None:
    answer = await harness.client.post("/v1/jars")
    assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid")
