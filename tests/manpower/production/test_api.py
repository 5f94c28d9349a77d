"""The route of monthly production: splits add up once, and an office reads its prisons."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chassis.ids import new_id
from tests.manpower.harness import Json, RegionHarness, done

SOLD_AT = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)
"""In December for people in WIB."""

AMOUNTS_IDR = {"premi": 50_000, "pnbp": 15_000, "modal": 35_001}
PATH = "/v1/production-statistics"


async def publish_split(
    region: RegionHarness,
    *,
    order_id: str = "",
    product_class: str = "mebel",
    event_id: str = "",
    kind: str = "proceeds-split",
    at: datetime = SOLD_AT,
) -> str:
    body: Json = {
        "order_id": order_id or new_id(),
        "workshop_id": f"w-{region.tag}",
        "product_class": product_class,
        "amounts_idr": AMOUNTS_IDR,
    }
    published_at = at
    if kind == "proceeds-split-reversed":
        body |= {"reversal_id": new_id(), "reversed_on": f"{at:%Y-%m-%d}"}
        published_at = at + timedelta(days=31)  # the day of the reversal counts
    return await region.publish(
        f"marketplace.{kind}.v1",
        body["order_id"],
        body,
        facility=region.facility,
        at=published_at,
        event_id=event_id,
    )


async def publish_workers(region: RegionHarness, count: int, *, month: str = "2026-10") -> None:
    """Publish that this number of people worked in the workshop."""
    for _ in range(count):
        ref = await region.admitted(regency=None)
        event_id = await region.publish_work(ref, workshop=f"w-{region.tag}", month=month)
        await region.handled(event_id)


@pytest.mark.parametrize(
    ("count", "month", "is_shown"),
    [(1, "2026-12", False), (4, "2026-12", False), (5, "2026-01", True), (5, "2025-12", False)],
)
async def test_sales_of_a_workshop_of_few_people_stay_in_the_facility(
    region: RegionHarness, count: int, month: str, *, is_shown: bool
) -> None:
    """Five people of the month and the eleven before; the sale is of December."""
    await publish_workers(region, count, month=month)
    kukm_id = f"kukm-{region.tag}"
    await region.agency(kukm_id, "dinas_kukm", facility_ids=[region.facility])
    await region.handled(await publish_split(region))
    outside = (
        region.dinas("dinas_kukm", agency=kukm_id),
        region.officer("kanwil"),
    )
    for reader in outside:
        [row] = (await done(reader.get(f"{PATH}?month=2026-12")))["items"]
        assert row["suppressed"] is not is_shown
        assert (row["orders"], row["amounts_idr"]) == ((1, AMOUNTS_IDR) if is_shown else (None, {}))
    for role in ("head", "auditor", "workshop_officer"):
        [row] = (await done(region.officer(role).get(f"{PATH}?month=2026-12")))["items"]
        assert (row["suppressed"], row["amounts_idr"]) == (False, AMOUNTS_IDR)


async def test_a_split_adds_once_to_the_month_that_the_kukm_office_reads(
    region: RegionHarness,
) -> None:
    kukm_id = f"kukm-{region.tag}"
    await region.agency(kukm_id, "dinas_kukm", facility_ids=[region.facility])
    await publish_workers(region, 5)
    order_id = new_id()
    event_id = await publish_split(region, order_id=order_id)
    await region.handled(event_id)
    await region.handled(await publish_split(region))
    await publish_split(region, order_id=order_id, event_id=event_id)
    await region.handled(await publish_split(region, order_id=order_id, product_class="roti"))
    kukm = region.dinas("dinas_kukm", agency=kukm_id)
    rows = (await done(kukm.get(f"{PATH}?month=2026-12")))["items"]
    [row] = [row for row in rows if row["product_class"] == "mebel"]
    assert (row["workshop_id"], row["orders"]) == (f"w-{region.tag}", 2)
    assert row["amounts_idr"] == {"premi": 100_000, "pnbp": 30_000, "modal": 70_002}


async def test_an_officer_reads_only_the_production_of_the_own_facility(
    region: RegionHarness,
) -> None:
    await region.handled(await publish_split(region))
    officer = region.officer("workshop_officer")
    rows = (await done(officer.get(f"{PATH}?month=2026-12")))["items"]
    assert [row["facility_id"] for row in rows] == [region.facility]
    stranger = region.officer("workshop_officer", facility="LP-LAIN")
    assert (await done(stranger.get(PATH)))["items"] == []


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "december"])
async def test_a_month_that_does_not_exist_is_refused(region: RegionHarness, month: str) -> None:
    officer = region.officer("workshop_officer")
    assert (await officer.get(f"{PATH}?month={month}")).status_code == 422


async def test_a_reversed_split_is_taken_out_once_in_the_month_of_the_reversal(
    region: RegionHarness,
) -> None:
    order_id = new_id()
    await region.handled(await publish_split(region, order_id=order_id))
    reversal = {"order_id": order_id, "kind": "proceeds-split-reversed"}
    event_id = await publish_split(region, **reversal, at=SOLD_AT + timedelta(days=40))
    await region.handled(event_id)
    await publish_split(region, **reversal, at=SOLD_AT + timedelta(days=40), event_id=event_id)
    await region.handled(await publish_split(region, product_class="roti"))
    officer = region.officer("workshop_officer")
    rows = (await done(officer.get(PATH)))["items"]
    mebel = {row["month"]: row for row in rows if row["product_class"] == "mebel"}
    assert [mebel["2026-12"]["orders"], mebel["2027-01"]["orders"]] == [1, -1]
    assert mebel["2027-01"]["amounts_idr"] == {
        party: -amount for party, amount in AMOUNTS_IDR.items()
    }
