"""Fixtures of the messaging tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """Switch the garbage collector off: what only it would free is left."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
