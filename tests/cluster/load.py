"""Clients of the shop, which send one command after the other on some keys.

Each command is repeated with its Idempotency-Key until it is answered. Not here: the processes
that answer, and the check of the effects.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Self

import httpx2

from chassis.caller import Caller
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.ids import new_id

PAUSE_SECONDS = 0.1  # between two commands of a client
AGAIN_SECONDS = 0.25  # before a failed attempt is repeated
TRY_SECONDS = 5.0  # then the client tries another replica
PATH = "/v1/owners/{owner}/marbles"
CALLER = Caller(
    subject="load",
    role="load",
    permissions=frozenset({f"POST {PATH}"}),
    claims={"facility": frozenset({"*"})},
)


class Load:
    """Clients, each with one command at a time.

    Each owner has one client for each replica.
    """

    def __init__(
        self, ports: Sequence[int], signer: InternalTokenSigner, owners: Sequence[str]
    ) -> None:
        self.answered: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.longest_gap = self.longest_wait = 0.0
        self._ports = list(ports)
        self._signer = signer
        self._owners = owners
        self._ending = asyncio.Event()
        self._http = httpx2.AsyncClient(timeout=TRY_SECONDS)
        self._last = 0.0

    @asynccontextmanager
    async def going_on(self) -> AsyncGenerator[Self]:
        """Send commands for the length of the block, and until each is answered.

        An unexpected answer ends the block with an error.
        """
        self._last = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                for owner in self._owners:
                    for port in self._ports:
                        group.create_task(self._client(owner, port))
                yield self
                self._ending.set()
        finally:
            await self._http.aclose()

    async def _client(self, owner: str, port: int) -> None:
        while not self._ending.is_set():
            port = await self._command(owner, port)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _command(self, owner: str, port: int) -> int:
        """Send one command until it is answered with 200; return the port that answered.

        Connection errors and 503 are repeated. Any other status fails the test.
        """
        loop = asyncio.get_running_loop()
        key = new_id()
        began = loop.time()
        while True:
            headers = {
                "authorization": f"Bearer {self._signer.for_caller('shop', CALLER)}",
                "idempotency-key": key,
            }
            try:
                answer = await self._http.post(
                    f"http://127.0.0.1:{port}{PATH.format(owner=owner)}", headers=headers
                )
            except httpx2.TransportError as error:
                self.tries[type(error).__name__] += 1
                port = self._ports[(self._ports.index(port) + 1) % len(self._ports)]
            else:
                self.tries[str(answer.status_code)] += 1
                if answer.status_code == 200:
                    break
                assert answer.status_code == 503, answer.text
            await asyncio.sleep(AGAIN_SECONDS)
        now = loop.time()
        self.answered[owner] += 1
        self.longest_wait = max(self.longest_wait, now - began)
        self.longest_gap, self._last = max(self.longest_gap, now - self._last), now
        return port
