"""Asking the running system as its operator: through the gateway, by its rules, noted in its audit. Not here: what is asked."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast
from urllib.parse import quote

import aiohttp
from rich.markup import escape

from ops.errors import OperatorError
from ops.local import state_dir, topology
from ops.local.gateway_client import Answer, GatewayCaller, GatewayClient

R = TypeVar("R")
ROLE = "operator"
OK, NOT_FOUND, PRECONDITION_FAILED = 200, 404, 412
_RETRY_STATUSES = (429, 503)
_MAX_RETRIES = 20


class OperationRefused(OperatorError):
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

    def __init__(self, caller: GatewayCaller) -> None:
        self._caller = caller

    async def request(
        self, service: str, method: str, path: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        """The answer of one service's operations. Refusal when it says no; what is too much at once is asked again when the answer says."""
        if method == "POST":
            headers["idempotency_key"] = str(uuid.uuid4())
        for left in range(_MAX_RETRIES, -1, -1):
            answer = await self._caller.request(
                method, f"/v1/operations/{service}{path}", body, **headers
            )
            if answer.status == OK:
                return answer.body
            if answer.status not in _RETRY_STATUSES or not left:
                raise OperationRefused(answer)
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        raise AssertionError

    async def list_all(self, service: str, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.request(
                service, "GET", f"{path}?limit=200{f'&cursor={cursor}' if cursor else ''}"
            )
            items += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return items


def select_services(name: str | None) -> list[str]:
    """The service of that name, or all. OperatorError that lists them when there is none of it."""
    known = [service.name for service in topology.SERVICES]
    return [topology.require_known(name, known)] if name else known


def run_as_operator(work: Callable[[Operator], Awaitable[R]]) -> R:
    """Do the work as operator of the system that runs here. OperatorError when none runs or it does not answer."""
    require_running()

    async def at_the_door() -> R:
        async with GatewayClient() as door:
            return await work(Operator(door.caller(ROLE)))

    try:
        return asyncio.run(at_the_door())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise OperatorError(
            "Gerbang tidak menjawab: lihat ./bina status.",
            f"The gateway does not answer ({type(error).__name__}): see ./bina status.",
        ) from error


def require_running() -> None:
    """Follow the system that runs here. OperatorError when none does."""
    if state_dir.runner_pid() is None:
        raise OperatorError(
            "Bina tidak berjalan: jalankan ./bina up", "Bina is not running: run ./bina up"
        )
    state_dir.adopt_runner_variables()


async def find_sequence(operator: Operator, sequence: str, service: str | None) -> tuple[str, str]:
    """The service that a sequence waits in, and its name in paths. A sequence may be given as listed, or as `topic/key`. OperatorError when it is in several."""
    named = _sequence_segment(sequence)
    waiting: list[str] = []
    for one in select_services(service):
        try:
            await operator.request(one, "GET", f"/parked/{named}?limit=1")
        except OperationRefused as refusal:
            if refusal.status != NOT_FOUND:
                raise
        else:
            waiting.append(one)
    if not waiting:
        sequence = printable(sequence)
        raise OperatorError(
            f"Tidak ada urutan {sequence} yang tertahan: lihat ./bina events parked list.",
            f"No sequence {sequence} waits: see ./bina events parked list.",
        )
    if len(waiting) > 1:
        raise OperatorError(
            f"Urutan ini tertahan di {', '.join(waiting)}: pilih satu dengan --service.",
            f"It waits in {', '.join(waiting)}: choose one by --service.",
        )
    return waiting[0], named


def _sequence_segment(sequence: str) -> str:
    if "/" not in sequence:
        return (
            quote(sequence, safe="") if sequence.strip(".") else "-"
        )  # nothing and dots are another place in a path
    # Imported here, because it imports all of the chassis, which no other command needs.
    from chassis.admin.parked_event_admin import encode_segment

    return encode_segment(sequence)


def printable(text: str) -> str:
    """A text of which nothing moves the cursor of a console."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def escape_markup(text: str) -> str:
    """The same, where rich prints it: nothing in it is markup."""
    return escape(printable(text))
