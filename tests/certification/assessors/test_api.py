"""Assessors: the pages of their list."""

from __future__ import annotations

from tests.certification.factories import LspHarness
from tests.certification.harness import done


async def test_lists_come_in_pages(lsp: LspHarness) -> None:
    for number in range(3):
        await lsp.record_assessor(name=f"Asesor {number}")
    seen: list[str] = []
    params = {"limit": "2"}
    while True:
        page = await done(lsp.officer.get("/v1/assessors", params=params))
        seen += [assessor["assessor_id"] for assessor in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 4
