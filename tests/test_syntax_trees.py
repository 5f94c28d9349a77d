"""Syntax trees of our own code."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator

import pytest

from tests import syntax_trees


class _Garbage:
    """A cycle whose finalizer parses, as the rendering of a traceback does."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        ast.parse("((1 + 2) + [a for a in b])")


@pytest.fixture
def waiting_garbage() -> Iterator[None]:
    """Leave garbage that parses to a collector that runs after every 100 new objects."""
    threshold = gc.get_threshold()
    gc.collect()
    gc.set_threshold(100)
    gc.disable()
    for _ in range(3):
        _Garbage()
    gc.enable()
    yield
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("waiting_garbage")
def test_garbage_that_parses_does_not_break_a_tree() -> None:
    tree = syntax_trees.parse("a + b\n" * 1_000)
    assert len(tree.body) == 1_000
    assert gc.isenabled()
