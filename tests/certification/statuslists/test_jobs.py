"""The job that publishes status lists."""

from __future__ import annotations

from tests.certification.factories import LspHarness
from tests.certification.harness import Harness
from tests.fakes import eventually


async def test_lists_are_published_on_every_tick_without_a_change(
    harness: Harness, lsp: LspHarness
) -> None:
    credential = await lsp.issue_credential()
    url = credential["credentialStatus"][0]["statusListCredential"]
    ticks: set[str] = set()

    async def has_two_ticks() -> bool:
        answer = await harness.get_public(url)
        if answer.status_code == 200:
            ticks.add(answer.json()["validFrom"])
        return len(ticks) > 1

    await eventually(has_two_ticks)
