"""The filters of visibility: queries agree with the rule, and no store lacks a filter."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.ids import utc_now
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import (
    Column,
    ConsentShare,
    Purpose,
    Reader,
    Visibility,
    share_for,
)
from services.manpower.visibility.store import reader_filter
from tests.manpower.harness import RegionHarness

RECIPIENTS = st.sampled_from(["a", "b"])
REGENCIES = st.sampled_from(["19.02", "19.06", ""])
READERS = st.builds(
    Reader,
    recipients=st.frozensets(RECIPIENTS, min_size=1),
    purpose=st.sampled_from(Purpose),
    regencies=st.none() | st.frozensets(REGENCIES, min_size=1),
)


def rows_at(now: datetime) -> st.SearchStrategy[list[Visibility]]:
    """Return a strategy of rows whose consents begin and end around this moment."""
    moments = st.integers(-2, 2).map(lambda minutes: now + timedelta(minutes=minutes))
    shares = st.builds(
        ConsentShare,
        consent_id=st.just("c"),
        recipient=RECIPIENTS,
        purpose=st.sampled_from(Purpose),
        fields=st.just(frozenset[Column]()),
        given_at=moments,
        expires_at=moments,
    )
    row = st.builds(
        Visibility,
        facility_id=st.just("LP-TJP"),
        regency_code=REGENCIES,
        shares=st.lists(shares, max_size=3).map(tuple),
    )
    return st.lists(row, min_size=1, max_size=8)


def draw_cases(now: datetime) -> list[tuple[list[Visibility], Reader]]:
    """Return rows and a reader for each example: hypothesis runs no coroutine."""
    cases: list[tuple[list[Visibility], Reader]] = []

    @settings(max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow])
    @for_all(rows=rows_at(now), reader=READERS)
    def draw(rows: list[Visibility], reader: Reader) -> None:
        cases.append((rows, reader))

    draw()
    return cases


@pytest.mark.scenario("MP-6/query")
async def test_the_query_and_the_rule_agree_on_who_sees_a_row(region: RegionHarness) -> None:
    now = utc_now()
    for number, (rows, reader) in enumerate(draw_cases(now)):
        rows_by_id = {f"{number}/{index}": row for index, row in enumerate(rows)}
        documents = [
            {"_id": row_id, "visibility": to_document(row)} for row_id, row in rows_by_id.items()
        ]
        await region.db.insert("rows_under_test", documents)
        where = {"$and": [{"_id": {"$in": list(rows_by_id)}}, reader_filter(reader, now)]}
        visible = await region.db.find("rows_under_test", where)
        expected = {
            row_id for row_id, row in rows_by_id.items() if share_for(row, reader, now) is not None
        }
        assert {document["_id"] for document in visible} == expected


def to_document(row: Visibility) -> dict[str, Any]:
    shares = [
        {
            "recipient": share.recipient,
            "purpose": share.purpose.value,
            "given_at": share.given_at,
            "expires_at": share.expires_at,
            "fields": sorted(share.fields),
        }
        for share in row.shares
    ]
    return {"facility_id": row.facility_id, "regency_code": row.regency_code, "shares": shares}


def has_own_filter(store: type[Any]) -> bool:
    """Return whether the store or a base of this service overrides `narrowing`."""
    own_classes = [base for base in store.__mro__ if base.__module__.startswith("services.")]
    return any("narrowing" in vars(base) for base in own_classes)


def test_no_store_lacks_a_claim_or_a_second_filter() -> None:
    """Slots are read beside a vacancy; the head of the feed holds no data of a person."""
    stores = Transaction.stores()
    assert all(store.scope for store in stores)
    public = [store for store in stores if "public" in store.scope]
    unfiltered = {store.collection for store in public if not has_own_filter(store)}
    assert unfiltered == {"vacancy_slots", "feed_heads"}
