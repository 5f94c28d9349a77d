"""A revocation at one replica counts at every other within five seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send

from gateway.access.permissions import ROLE_PERMISSIONS
from tests.fakes import Keys, eventually
from tests.gateway.harness import GatewayHarness, new_key, running_gateway
from tests.gateway.installation import InstallationHarness, Person
from tests.gateway.region import FILE, known

SECONDS = 5.0


class Replica:
    """One replica of the gateway whose upstream serves a stream and a long poll."""

    def __init__(self, harness: GatewayHarness) -> None:
        self.harness = harness
        self.requests: set[bytes] = set()
        harness.upstream.answers["/v1/feed"] = self._feed

    async def _feed(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.add(scope["query_string"])
        if scope["query_string"] == b"stream":
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"text/event-stream")],
                }
            )
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def stream_of(self, headers: dict[str, str]) -> float:
        """Open the stream and return the time at which it was cut off."""
        async with self.harness.client.get(
            self.harness.url("/v1/feed?stream"), headers=headers
        ) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.content.read()
        return time.monotonic()

    async def poll_of(self, headers: dict[str, str]) -> float:
        """Send the long poll and return the time at which it was refused."""
        assert (await self.harness.ask("GET", "/v1/feed?poll", headers=headers)).status == 401
        return time.monotonic()

    async def both_open(self) -> bool:
        """Return whether both requests have reached the service."""
        return self.requests >= {b"stream", b"poll"}


@pytest.fixture
async def replicas(tmp_path: Path, mongo_url: str, database: str) -> AsyncGenerator[list[Replica]]:
    """Start two replicas of one installation."""
    url = Keys.make(tmp_path).settings("gateway", mongo_url=mongo_url, database=database, kafka="")[
        "mongo_url"
    ]
    response: dict[str, Any] = {
        "living": True,
        "mongo_url": url,
        "issuer": "http://staff.localhost",
        "issuer_key": new_key(),
    }
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with (
        running_gateway(tmp_path / "one", FILE.read_text(), ROLE_PERMISSIONS, **response) as one,
        running_gateway(tmp_path / "two", FILE.read_text(), ROLE_PERMISSIONS, **response) as two,
    ):
        for harness in (one, two):
            await eventually(lambda harness=harness: known(harness), seconds=30)
        yield [Replica(one), Replica(two)]


async def sign_out(at: InstallationHarness, person: Person) -> None:
    await at.form("revoke", token=person.refresh)


async def disable(at: InstallationHarness, person: Person) -> None:
    await at.admin("POST", f"users/{person.user_id}/disable", facility="*")


async def end_grant(at: InstallationHarness, person: Person) -> None:
    [grant] = (await at.admin("GET", f"grants?user_id={person.user_id}", facility="*")).content[
        "items"
    ]
    await at.admin("POST", f"grants/{grant['grant_id']}/end", facility="*")


@pytest.mark.scenario("P6/gateway")
@pytest.mark.parametrize("withdraw", [sign_out, disable, end_grant])
async def test_a_revocation_ends_streams_at_both_replicas_in_five_seconds(
    replicas: list[Replica], withdraw: Callable[[InstallationHarness, Person], Awaitable[None]]
) -> None:
    installation = InstallationHarness(replicas[0].harness)
    person = await (await installation.enrolled(role="bapas", home="")).sign_in()
    headers = {"authorization": f"Bearer {person.access}"}
    open_ones = [
        asyncio.create_task(work(headers))
        for replica in replicas
        for work in (replica.stream_of, replica.poll_of)
    ]
    for replica in replicas:
        await eventually(replica.both_open)
    began = time.monotonic()
    await withdraw(installation, person)
    ended = await asyncio.gather(*open_ones)
    assert all(moment - began < SECONDS for moment in ended)
    for replica in replicas:
        assert (await replica.harness.ask("GET", "/v1/feed?poll", headers=headers)).status == 401


async def test_a_stream_ends_when_its_token_expires(replicas: list[Replica]) -> None:
    installation = InstallationHarness(replicas[0].harness)
    person = await (await installation.enrolled(role="bapas", home="")).sign_in()
    flowing = asyncio.create_task(
        replicas[0].stream_of({"authorization": f"Bearer {person.access}"})
    )
    streams = replicas[0].harness.gateway.open_streams
    [open_one] = await eventually(lambda: _open(replicas[0]))
    streams.cancel_revoked(open_one.ctx.identified_caller.expires_at - 1)
    assert streams.cancellers
    streams.cancel_revoked(open_one.ctx.identified_caller.expires_at)
    await flowing


async def _open(replica: Replica) -> list[Any]:
    return [one for one in replica.harness.gateway.open_streams.cancellers if one.ctx.status]
