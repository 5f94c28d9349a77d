"""Adapters for differences between Motor and PyMongo. Not here: the operations (mongo)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from inspect import isawaitable
from typing import Any, TypeVar

from chassis.persistence.statements import Document

R = TypeVar("R")


async def awaited(value: Any) -> Any:
    """Return the value, awaited if needed: for some methods only one of the drivers is async."""
    return await value if isawaitable(value) else value


async def read_all(cursor: Any) -> list[Document]:
    """Return all documents of a cursor."""
    return await (await awaited(cursor)).to_list(None)


async def uncancelled(operation: Awaitable[R]) -> R:
    """Await an operation to its end, even when cancelled.

    Motor runs it in a thread that cannot be stopped. What the thread writes after the abort would
    lie outside the transaction.
    """
    running = asyncio.ensure_future(operation)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await ended(running)
        raise


async def ended(running: asyncio.Future[Any]) -> None:
    """Wait until an operation has ended whose result nobody needs any more.

    An error that nobody looks at is logged with its traceback by the garbage collector.
    """
    await asyncio.wait({running})
    if not running.cancelled():
        running.exception()
