"""Fixture: one whole system for the system tests of a worker."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.installation import Installation


@pytest.fixture(scope="package")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[Installation]:
    """Start a system and stop it afterwards."""
    here = Installation(tmp_path_factory.mktemp("system") / "bina")
    up = here.bina("up", "--detach")
    assert up.returncode == 0, up.stderr
    yield here
    here.bina("down")
    assert here.processes() == []
