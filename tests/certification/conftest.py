"""A running certification for wire tests, on real MongoDB and Kafka.

All modules that a worker runs in a row share it.

Only training, which is asked for names, is a fake.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.certification.factories import LspHarness
from tests.certification.harness import Harness


@pytest.fixture(scope="package")
async def harness(
    tmp_path_factory: pytest.TempPathFactory, mongo_url: str, kafka: str
) -> AsyncIterator[Harness]:
    """Start the service and yield its harness."""
    folder = tmp_path_factory.mktemp("certification")
    async with Harness.create(folder, mongo_url, kafka) as running_harness:
        yield running_harness


@pytest.fixture
async def lsp(harness: Harness) -> LspHarness:
    """Create an LSP for one test, with everything that it needs to certify."""
    return await LspHarness.create(harness)
