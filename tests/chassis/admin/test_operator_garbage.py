"""Mistaken operator requests over HTTP: they are refused with a reason and change nothing.

Garbage, empty time ranges, and events that are not parked.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from chassis.admin.parked_event_admin import encode_segment
from chassis.ids import utc_now
from tests.chassis.admin.operator_shop import ROOT, OperatorHarness, opened


@pytest.fixture(scope="module")
async def shop(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[OperatorHarness]:
    async with opened("fake", "", tmp_path_factory.mktemp("shop"), mongo_url, kafka) as one:
        yield one


async def test_only_a_parked_event_can_be_discarded_also_behind_the_first(
    shop: OperatorHarness,
) -> None:
    owner, sequence = await shop.stuck("poison", "a", "b")
    path = f"/parked/{sequence}"
    shown = await shop.get(path)
    for unknown in ("", "nothing", shown["letters"][0]["id"] + "x"):
        assert (
            await shop.post(
                f"{path}/discard",
                {"event_id": unknown, "reason": "isinya rusak"},
                if_match=f'"{shown["version"]}"',
                expect=404,
            )
        )["code"] == "parked_unknown"
    assert (
        await shop.post(
            f"{path}/discard",
            {"event_id": shown["letters"][0]["id"]},
            if_match=f'"{shown["version"]}"',
            expect=422,
        )
    )["field"] == "reason"
    after = await shop.post(
        f"{path}/discard",
        {"event_id": shown["letters"][1]["id"], "reason": "isinya ganda"},
        if_match=f'"{shown["version"]}"',
    )
    assert (after["count"], after["reason"]) == (2, "jar_full")
    after = await shop.post(f"{path}/retry", if_match=f'"{after["version"]}"')
    assert (after["took_effect"], after["count"]) == (
        0,
        2,
    )  # the first still fails, and later events of the sequence do not overtake it
    after = await shop.post(
        f"{path}/discard",
        {"event_id": shown["letters"][0]["id"], "reason": "isinya rusak"},
        if_match=f'"{after["version"]}"',
    )
    assert (await shop.post(f"{path}/retry", if_match=f'"{after["version"]}"'))["count"] == 0
    assert await shop.texts(owner) == ["b"]


@pytest.mark.parametrize(("since", "until"), [(-1, -2), (-2, -2), (1, 3), (2, 1)])
async def test_a_replay_of_no_time_is_refused_and_not_taken_for_one_of_nothing(
    shop: OperatorHarness, since: int, until: int
) -> None:
    """Ranges (in hours from now) that end before or when they begin, or lie in the future."""
    answer = {
        "from": (now := utc_now()) + timedelta(hours=since),
        "to": now + timedelta(hours=until),
    }
    refused = await shop.post(
        "/replay",
        {name: moment.isoformat() for name, moment in answer.items()} | {"dry_run": True},
        expect=400,
    )
    assert (refused["code"], refused["field"]) == ("malformed", "to")
    assert refused["detail"].startswith("Waktunya kosong")


async def test_a_foreign_cursor_is_422(shop: OperatorHarness) -> None:
    for path in ("/parked?cursor=%C3%A9", "/outbox?cursor=x"):
        answer = await shop.operator.get(ROOT + path)
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


DEEP = "[" * 100_000
GarbageBody = dict[str, str] | bytes | None
GARBAGE: list[tuple[str, str, GarbageBody, int]] = [
    ("GET", "/parked?limit=0", None, 422),
    ("GET", "/parked?limit=501", None, 422),
    ("GET", f"/parked?limit={'9' * 5_000}", None, 422),
    ("GET", "/parked?limit=many", None, 422),
    ("GET", "/parked?cursor=A", None, 422),
    ("GET", "/outbox?cursor=%00%F0%9F%98%80", None, 422),
    ("GET", "/parked/%00", None, 404),
    ("GET", "/parked/..%2Flag", None, 404),
    ("GET", f"/parked/{encode_segment('a/kunci/é%2F?#')}", None, 404),
    ("POST", "/parked/x/retry", {"if-match": '"a"'}, 400),
    ("POST", "/parked/x/retry", {"if-match": '"' + "9" * 4_000 + '"'}, 404),
    ("POST", "/parked/x/retry?dry_run=perhaps", {"if-match": '"1"'}, 422),
    ("POST", "/replay", b"", 422),
    ("POST", "/replay", b"{", 400),
    ("POST", "/replay", DEEP.encode(), 400),
    ("POST", "/replay", b"[]", 422),
    ("POST", "/replay", b'{"from": NaN, "to": Infinity}', 422),
    ("POST", "/replay", b'{"from": "2026-11-01", "to": "2026-11-02T00:00:00"}', 422),
    (
        "POST",
        "/replay",
        b'{"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-14:00"}',
        422,
    ),
    (
        "POST",
        "/replay",
        b'{"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "key": "\\ud800"}',
        422,
    ),
    (
        "POST",
        "/replay",
        b'{"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "cursor": "none of ours"}',
        422,
    ),
    (
        "POST",
        "/replay",
        b'{"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "everything": true}',
        422,
    ),
    ("POST", "/parked/x/discard", b'{"event_id": "\\ud800", "reason": "r"}', 422),
    ("POST", "/parked/x/discard", b'{"event_id": "a", "reason": "\\ud800"}', 422),
    ("POST", "/event-status", b'{"topic": "x", "events": [["a"]]}', 422),
    (
        "POST",
        "/event-status",
        json.dumps({"topic": "x", "events": [["a", "b"]] * 501}).encode(),
        422,
    ),
    ("POST", "/event-status", b'{"topic": "x", "events": [["\\ud800", "b"]]}', 422),
]


@pytest.mark.parametrize(
    ("method", "path", "given", "status"),
    GARBAGE,
    ids=[f"{one[1][:40]}-{index}" for index, one in enumerate(GARBAGE)],
)
async def test_garbage_is_refused_in_words(
    shop: OperatorHarness,
    method: str,
    path: str,
    given: GarbageBody,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shop.life.engine, "clock", lambda: datetime(2026, 11, 20, tzinfo=UTC))
    headers = (
        given
        if isinstance(given, dict)
        else {"content-type": "application/json", "if-match": '"1"'}
    )
    answer = await shop.operator.request(
        method,
        ROOT + path,
        headers=headers,
        content=given if isinstance(given, bytes) else None,
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]
