"""Rebuild of a projection over HTTP, on MongoDB and the fake Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.admin import projections
from chassis.app import database_setup
from chassis.ids import new_id
from tests.chassis.admin.operator_shop import UNLUCKY, OperatorHarness, opened
from tests.chassis.sample_service import Notes
from tests.fakes import eventually

PATH = "/projections/notes/rebuild"


@pytest.fixture
async def shop(
    tmp_path_factory: pytest.TempPathFactory,
    mongo_url: str,
    kafka: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OperatorHarness]:
    """Start a shop whose rebuild reads one event a page."""
    monkeypatch.setattr(projections, "PAGE", 1)
    async with opened("fake", "", tmp_path_factory.mktemp("shop"), mongo_url, kafka) as one:
        yield one


async def rebuild(shop: OperatorHarness, cursor: str | None = None) -> list[dict[str, Any]]:
    """Rebuild to the end; return the pages."""
    pages = [await shop.post(PATH, {"cursor": cursor})]
    while pages[-1]["next_cursor"]:
        pages.append(await shop.post(PATH, {"cursor": pages[-1]["next_cursor"]}))
    return pages


async def test_a_rebuild_gives_the_same_projection(shop: OperatorHarness) -> None:
    """It replaces a wrong document, restores a lost one and drops one that no event made."""
    first = f"own-{new_id()}"
    second = f"own-{new_id()}"
    outside = await shop.admitted()
    await shop.note(outside, "from outside")
    await shop.heard(outside, "from outside")
    await shop.filled(first, 2, 3)
    await shop.filled(second, 4)
    await shop.heard(first, "2", "3")
    await shop.heard(second, "4")
    before = {row["_id"]: row["texts"] for row in await shop.db.find("notes", {})}
    await shop.db.update("notes", {"_id": first}, {"$set": {"texts": ["wrong"]}})
    await shop.db.update("notes", {"_id": second}, {"$set": {"_id": second, "texts": []}})
    await shop.db.delete("notes", {"_id": second})
    [document] = await shop.db.find("notes", {"_id": first})
    await shop.db.insert("notes", [document | {"_id": "own-nobody"}])
    pages = await rebuild(shop)
    assert {row["_id"]: row["texts"] for row in await shop.db.find("notes", {})} == before
    assert pages[0]["total"] == len(pages) == sum(page["read"] for page in pages)
    assert pages[-1]["documents"] == len(before)


async def test_a_rebuilt_projection_keeps_its_validator_and_indexes(shop: OperatorHarness) -> None:
    await shop.filled(f"own-{new_id()}", 2)
    await rebuild(shop)
    existing = await shop.db.collections()
    assert existing["notes"] == database_setup.validator(Notes)
    assert [name for name in existing if name.startswith("notes.")] == []


async def test_both_ends_of_a_rebuild_are_audited(shop: OperatorHarness) -> None:
    await shop.filled(f"own-{new_id()}", 2)
    pages = await rebuild(shop)
    assert len(await shop.audited("projections.rebuild_started", "notes")) == 1
    [row] = await shop.audited("projections.rebuilt", "notes")
    assert row["documents"] == pages[-1]["documents"]


async def test_a_rebuild_keeps_what_other_services_events_write_meanwhile(
    shop: OperatorHarness,
) -> None:
    owner = f"own-{new_id()}"
    await shop.filled(owner, 2, 3)
    await shop.heard(owner, "2", "3")
    outside = await shop.admitted()
    await shop.heard(outside)
    first = await shop.post(PATH, {"cursor": None})
    await shop.note(outside, "meanwhile")
    await shop.heard(outside, "meanwhile")
    await rebuild(shop, first["next_cursor"])
    await shop.heard(outside, "meanwhile")
    await shop.heard(owner, "2", "3")


async def test_a_rebuild_with_a_merge_under_way_is_refused_at_its_end(
    shop: OperatorHarness,
) -> None:
    owner = f"own-{new_id()}"
    await shop.filled(owner, 2, 3)
    await shop.heard(owner, "2", "3")
    before = await shop.db.find("notes", {})
    page = await shop.post(PATH, {"cursor": None})
    await shop.db.insert("aliases", [{"_id": new_id(), "into": owner}])
    url = f"/v1/operations/shop{PATH}"
    answer = await shop.operator.post(url, json={"cursor": page["next_cursor"]})
    while answer.status_code == 200 and answer.json()["next_cursor"]:
        answer = await shop.operator.post(url, json={"cursor": answer.json()["next_cursor"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "merged_meanwhile")
    assert await shop.db.find("notes", {}) == before


async def test_a_rebuild_skips_an_event_that_is_parked(shop: OperatorHarness) -> None:
    owner = f"own-{new_id()}"
    await shop.filled(owner, 2, UNLUCKY)
    await shop.heard(owner, "2")
    await eventually(lambda: shop.db.find_one("inbox", {"state": "parked"}))
    await rebuild(shop)
    await shop.heard(owner, "2")


async def test_a_refused_event_leaves_the_live_projection_as_it_is(shop: OperatorHarness) -> None:
    owner = f"own-{new_id()}"
    await shop.filled(owner, 2, UNLUCKY)
    await shop.heard(owner, "2")
    await eventually(lambda: shop.db.find_one("inbox", {"state": "parked"}))
    await shop.db.delete("inbox", {"state": "parked"})
    url = f"/v1/operations/shop{PATH}"
    answer = await shop.operator.post(url, json={"cursor": None})
    while answer.status_code == 200 and answer.json()["next_cursor"]:
        answer = await shop.operator.post(url, json={"cursor": answer.json()["next_cursor"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "event_not_applied")
    await shop.heard(owner, "2")


async def test_a_later_rebuild_supersedes_an_unfinished_one(shop: OperatorHarness) -> None:
    await shop.filled(f"own-{new_id()}", 2, 3)
    first = await shop.post(PATH, {"cursor": None})
    await rebuild(shop)
    refused = await shop.post(PATH, {"cursor": first["next_cursor"]}, expect=409)
    assert refused["code"] == "rebuild_superseded"


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIiwgImIiXQ"])
async def test_a_foreign_cursor_is_refused(shop: OperatorHarness, cursor: str) -> None:
    assert (await shop.post(PATH, {"cursor": cursor}, expect=422))["code"] == "cursor_invalid"


async def test_an_unknown_projection_is_404(shop: OperatorHarness) -> None:
    refused = await shop.post("/projections/nothing/rebuild", {"cursor": None}, expect=404)
    assert refused["code"] == "projection_unknown"
