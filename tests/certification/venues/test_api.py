"""Venues: the period of a verification."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.certification.factories import LspHarness
from tests.certification.harness import change, done, refused, today

TOMORROW = str(today() + timedelta(days=1))


@pytest.mark.scenario("C13/codes")
async def test_only_a_standing_venue_is_verified_for_more_than_one_day(lsp: LspHarness) -> None:
    days = {"valid_from": str(today()), "valid_until": TOMORROW, "scheme_refs": [lsp.scheme_ref]}
    occasional = f"/v1/venues/{lsp.venue['venue_id']}/verifications"
    request = change(lsp.officer, "POST", occasional, json=days)
    assert await refused(request) == {"verification_period_invalid"}
    standing_id = (await lsp.record_venue(kind="standing", is_verified=False))["venue_id"]
    standing = f"/v1/venues/{standing_id}/verifications"
    await done(change(lsp.officer, "POST", standing, json=days), 201)
    codes = await lsp.assign(await lsp.fill_forms(), venue_id=standing_id, held_on=TOMORROW)
    assert codes == set()
