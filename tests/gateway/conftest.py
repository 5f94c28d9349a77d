"""Fixtures of the gateway's tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.gateway.stage import Stage, staged


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """A gateway in front of a small upstream."""
    async with staged(tmp_path) as stage:
        yield stage
