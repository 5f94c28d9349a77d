"""Syntax trees of our own code, for tests that read it."""

from __future__ import annotations

import ast
import gc


def parse(source: str) -> ast.Module:
    """Return the tree of `source`, parsed without the garbage collector.

    A finalizer may log a traceback, and CPython 3.11 parses its lines. It counts the depth of both
    trees in one place, so the outer parse ends in SystemError (python/cpython#106905).
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collected:
            gc.enable()
