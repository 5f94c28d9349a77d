"""Requests to the running system as its operator: through the gateway, with audit rows.

Not here: what is requested.
"""

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
OK = 200
NOT_FOUND = 404
PRECONDITION_FAILED = 412
_RETRY_STATUSES = (429, 503)
_MAX_RETRIES = 20
_PAGE_SIZE = 200


class OperationRefused(OperatorError):
    """A request was refused; the problem is in the language of the terminal."""

    def __init__(self, answer: Answer) -> None:
        problem = cast("dict[str, Any]", answer.body) if isinstance(answer.body, dict) else {}
        text = ". ".join(str(problem[name]) for name in ("title", "detail") if problem.get(name))
        super().__init__(
            text or f"Permintaan ditolak ({answer.status}).",
            text or f"The system refused ({answer.status}).",
        )
        self.status = answer.status


class Operator:
    """The operator, at the host group `staff`."""

    def __init__(self, caller: GatewayCaller) -> None:
        self._caller = caller

    async def request(
        self, service: str, method: str, path: str, body: Any = None, **headers: str
    ) -> dict[str, Any]:
        """Return the body of a response of a service's operator API.

        After 429 and 503 the request is repeated as `Retry-After` says. Raises OperationRefused.
        """
        if method == "POST":
            headers["idempotency_key"] = str(uuid.uuid4())
        address = f"/v1/operations/{service}{path}"
        for retries_left in range(_MAX_RETRIES, -1, -1):
            answer = await self._caller.request(method, address, body, **headers)
            if answer.status == OK:
                return answer.body
            if answer.status not in _RETRY_STATUSES or not retries_left:
                raise OperationRefused(answer)
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        raise AssertionError

    async def list_all(self, service: str, path: str) -> list[dict[str, Any]]:
        """Return all items of a list, read page by page."""
        items: list[dict[str, Any]] = []
        first = f"{path}?limit={_PAGE_SIZE}"
        page = await self.request(service, "GET", first)
        items += page["items"]
        while cursor := page["next_cursor"]:
            page = await self.request(service, "GET", f"{first}&cursor={cursor}")
            items += page["items"]
        return items


def select_services(name: str | None) -> list[str]:
    """Return the service of that name, or all. Raises OperatorError for an unknown name."""
    known = [service.name for service in topology.SERVICES]
    return [topology.require_known(name, known)] if name else known


def run_as_operator(work: Callable[[Operator], Awaitable[R]]) -> R:
    """Run `work` with an operator of the running system, and return its result.

    Raises OperatorError when no system runs here or the gateway does not answer.
    """
    require_running()

    async def run() -> R:
        async with GatewayClient() as client:
            return await work(Operator(client.caller(ROLE)))

    try:
        return asyncio.run(run())
    except (aiohttp.ClientError, TimeoutError) as error:
        raise OperatorError(
            "Gerbang tidak menjawab: lihat ./bina status.",
            f"The gateway does not answer ({type(error).__name__}): see ./bina status.",
        ) from error


def require_running() -> None:
    """Adopt the variables of the running system. Raises OperatorError when no system runs."""
    if state_dir.runner_pid() is None:
        raise OperatorError(
            "Bina tidak berjalan: jalankan ./bina up", "Bina is not running: run ./bina up"
        )
    state_dir.adopt_runner_variables()


async def find_sequence(operator: Operator, sequence: str, service: str | None) -> tuple[str, str]:
    """Return the service in which a sequence is parked, and its name in paths.

    The sequence is given as `parked list` shows it, or as `topic/key`. Raises OperatorError when no
    service or more than one has it.
    """
    segment = _sequence_segment(sequence)
    services: list[str] = []
    for name in select_services(service):
        try:
            await operator.request(name, "GET", f"/parked/{segment}?limit=1")
        except OperationRefused as refusal:
            if refusal.status != NOT_FOUND:
                raise
        else:
            services.append(name)
    if not services:
        sequence = printable(sequence)
        raise OperatorError(
            f"Tidak ada urutan {sequence} yang tertahan: lihat ./bina events parked list.",
            f"No sequence {sequence} is parked: see ./bina events parked list.",
        )
    if len(services) > 1:
        raise OperatorError(
            f"Urutan ini tertahan di {', '.join(services)}: pilih satu dengan --service.",
            f"The sequence is parked in {', '.join(services)}: choose one with --service.",
        )
    return services[0], segment


def _sequence_segment(sequence: str) -> str:
    if "/" not in sequence:
        # An empty segment, or one of dots only, would change the path.
        return quote(sequence, safe="") if sequence.strip(".") else "-"
    # This import loads all of the chassis, which no other command needs.
    from chassis.admin.parked_event_admin import encode_segment

    return encode_segment(sequence)


def printable(text: str) -> str:
    """Return the text with a replacement for each control character."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def escape_markup(text: str) -> str:
    """Return the printable text, escaped so that rich reads no markup in it."""
    return escape(printable(text))
