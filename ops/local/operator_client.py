"""Asking the running system as its operator: through the gateway, by its rules, noted in its audit. Not here: what is asked."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast
from urllib.parse import quote

import aiohttp
from rich.markup import escape

from ops.errors import Trouble
from ops.local import state_dir, topology
from ops.local.gateway_client import Answer, Caller, Door

R = TypeVar("R")
ROLE = "operator"
OK, UNKNOWN, CHANGED = 200, 404, 412
_LATER = (429, 503)
_TRIES = 20


class Refusal(Trouble):
    """The system says no, in its own words."""

    def __init__(self, answer: Answer) -> None:
        told = cast("dict[str, Any]", answer.body) if isinstance(answer.body, dict) else {}
        words = ". ".join(str(told[name]) for name in ("title", "detail") if told.get(name))
        super().__init__(
            words or f"Permintaan ditolak ({answer.status}).",
            f"The system refused: {answer.status} {told.get('code', '')}".strip(),
        )
        self.status = answer.status


class Operator:
    """The operator at the door of staff."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def ask(
        self, service: str, method: str, path: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        """The answer of one service's operations. Refusal when it says no; what is too much at once is asked again when the answer says."""
        if method == "POST":
            headers["idempotency_key"] = str(uuid.uuid4())
        for left in range(_TRIES, -1, -1):
            answer = await self._caller.ask(
                method, f"/v1/operations/{service}{path}", body, **headers
            )
            if answer.status == OK:
                return answer.body
            if answer.status not in _LATER or not left:
                raise Refusal(answer)
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        raise AssertionError

    async def every(self, service: str, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.ask(
                service, "GET", f"{path}?limit=200{f'&cursor={cursor}' if cursor else ''}"
            )
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items


def services(name: str | None) -> list[str]:
    """The service of that name, or all. Trouble that lists them when there is none of it."""
    known = [service.name for service in topology.SERVICES]
    return [topology.named(name, known)] if name else known


def operate(work: Callable[[Operator], Awaitable[R]]) -> R:
    """Do the work as operator of the system that runs here. Trouble when none runs or it does not answer."""
    require_running()

    async def at_the_door() -> R:
        async with Door() as door:
            return await work(Operator(door.caller(ROLE)))

    try:
        return asyncio.run(at_the_door())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Trouble(
            "Gerbang tidak menjawab: lihat ./bina status.",
            f"The gateway does not answer ({type(error).__name__}): see ./bina status.",
        ) from error


def require_running() -> None:
    """Follow the system that runs here. Trouble when none does."""
    if state_dir.runner() is None:
        raise Trouble(
            "Bina tidak berjalan: jalankan ./bina up", "Bina is not running: run ./bina up"
        )
    state_dir.follow_runner()


async def found(operator: Operator, sequence: str, service: str | None) -> tuple[str, str]:
    """The service that a sequence waits in, and its name in paths. A sequence may be given as listed, or as `topic/key`. Trouble when it is in several."""
    named = _named(sequence)
    waiting: list[str] = []
    for one in services(service):
        try:
            await operator.ask(one, "GET", f"/parked/{named}?limit=1")
        except Refusal as refusal:
            if refusal.status != UNKNOWN:
                raise
        else:
            waiting.append(one)
    if not waiting:
        sequence = printable(sequence)
        raise Trouble(
            f"Tidak ada urutan {sequence} yang tertahan: lihat ./bina events parked list.",
            f"No sequence {sequence} waits: see ./bina events parked list.",
        )
    if len(waiting) > 1:
        raise Trouble(
            f"Urutan ini tertahan di {', '.join(waiting)}: pilih satu dengan --service.",
            f"It waits in {', '.join(waiting)}: choose one by --service.",
        )
    return waiting[0], named


def _named(sequence: str) -> str:
    if "/" not in sequence:
        return (
            quote(sequence, safe="") if sequence.strip(".") else "-"
        )  # nothing and dots are another place in a path
    from chassis.admin.parked_event_admin import (
        segment,
    )  # with it comes all of the chassis, which no other command needs

    return segment(sequence)


def printable(text: str) -> str:
    """A text of which nothing moves the cursor of a console."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def plain(text: str) -> str:
    """The same, where rich prints it: nothing in it is markup."""
    return escape(printable(text))
