"""One running certification for each module of wire tests, on real MongoDB and Kafka; only training, which is asked for names, is played."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.certification.harness import Lsp, Stage


@pytest.fixture(scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[Stage]:
    """The running service, and the topics around it."""
    async with Stage.opened(tmp_path_factory.mktemp("certification"), mongo_url, kafka) as opened:
        yield opened


@pytest.fixture
async def lsp(stage: Stage) -> Lsp:
    """An LSP of this test's own, licensed, with keys, a scheme, an assessor and a venue."""
    return await Lsp.founded(stage)
