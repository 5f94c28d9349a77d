"""A client of an app in this process, throw-away keys, a fake Kafka, and `eventually`.

Not here: a fake MongoDB; tests use a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from inspect import isawaitable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fastapi import FastAPI
from fastapi.routing import APIRoute

from chassis.caller import Actor, Caller
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.ids import new_id
from chassis.messaging.kafka_topics import ensure_topic
from tests.fake_kafka import FakeConsumer, FakeKafka, FakeProducer, send

__all__ = [
    "AsgiClient",
    "FakeConsumer",
    "FakeKafka",
    "FakeProducer",
    "Keys",
    "eventually",
    "not_four_eyes",
    "routes",
    "running",
    "send",
]

# the longest poll of an idle consumer; a service ends only after its last poll
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Keys:
    """Throw-away signing keys of all issuers; the public keys lie in one directory."""

    directory: Path
    private: Mapping[str, str]

    @classmethod
    def make(
        cls,
        directory: Path,
        issuers: Iterable[str] = (
            "gateway",
            "training",
            "certification",
            "marketplace",
            "manpower",
        ),
    ) -> Keys:
        """Generate keys and write the public ones into the directory."""
        private: dict[str, str] = {}
        for name in issuers:
            key = Ed25519PrivateKey.generate()
            private[name] = key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ).decode()
            (directory / f"{name}.pem").write_bytes(
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
        return cls(directory, private)

    def settings(
        self,
        service: str,
        *,
        mongo_url: str,
        database: str,
        kafka: str,
        driver: str = "motor",
        **more: Any,
    ) -> dict[str, Any]:
        """Return the settings of a service on these servers, for its Settings class.

        `database` replaces the database of the URL.
        """
        scheme, _, rest = mongo_url.partition("://")
        hosts, _, tail = rest.partition("/")
        query = tail.partition("?")[2]
        if "@" in hosts and "authSource" not in query:
            query = "&".join(part for part in (query, "authSource=admin") if part)
        return {
            "environment": "development",
            "kafka": kafka,
            "mongo_driver": driver,
            "mongo_url": f"{scheme}://{hosts}/{database}?{query}",
            "signing_key": self.private[service],
            "trusted_keys": self.directory,
            "audit_key": "11" * 32,
            "port": 0,
            "namespace": f"{database}.",
            **more,
        }


class AsgiClient:
    """An HTTP client of one service's app in this process; by default it may use every route.

    `as_(role, facility="LP-TJP")` returns a client for another caller.
    """

    def __init__(
        self, app: FastAPI, keys: Keys, service: str, caller: Caller | None = None
    ) -> None:
        self.app = app
        self.keys = keys
        self.service = service
        everything = frozenset(
            f"{method} {route.path}" for route in routes(app) for method in route.methods or ()
        )
        self.caller = caller or Caller(subject="tester", role="tester", permissions=everything)
        self._http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://service",
        )

    def as_(
        self,
        role: str,
        *,
        subject: str = "",
        permissions: Iterable[str] | None = None,
        **claims: str | Iterable[str],
    ) -> AsgiClient:
        """Return a client for another caller; claims are values or lists ("*" = all)."""
        sets = {
            name: frozenset([values] if isinstance(values, str) else values)
            for name, values in claims.items()
        }
        allowed = self.caller.permissions if permissions is None else frozenset(permissions)
        return AsgiClient(
            self.app,
            self.keys,
            self.service,
            Caller(subject=subject or f"user-{role}", role=role, permissions=allowed, claims=sets),
        )

    def by(self, subject: str, on_behalf_of: str = "") -> AsgiClient:
        """Return a client with the same role and claims for another actor."""
        return AsgiClient(
            self.app,
            self.keys,
            self.service,
            replace(self.caller, subject=subject, on_behalf_of=on_behalf_of),
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """Send one request; `token=""` sends no token."""
        if token is None:
            signer = InternalTokenSigner("gateway", self.keys.private["gateway"])
            token = signer.for_caller(self.service, self.caller)
        authorization = {"authorization": f"Bearer {token}"} if token else {}
        return await self._http.request(
            method, path, headers=authorization | dict(headers or {}), **more
        )

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        """Send a GET request."""
        return await self.request("GET", path, **more)

    async def post(self, path: str, **more: Any) -> httpx2.Response:
        """Send a POST request."""
        return await self.request("POST", path, **more)

    async def patch(self, path: str, **more: Any) -> httpx2.Response:
        """Send a PATCH request."""
        return await self.request("PATCH", path, **more)

    async def asked_by(
        self,
        service: str,
        method: str,
        path: str,
        *,
        purpose: str,
        on_behalf_of: str = "",
        **more: Any,
    ) -> httpx2.Response:
        """Send an internal query as another service does."""
        return await self.request(
            method,
            path,
            token=InternalTokenSigner(service, self.keys.private[service]).for_service(
                self.service, method, path, purpose, on_behalf_of
            ),
            **more,
        )


def not_four_eyes(subject: str, principal: str) -> list[Actor]:
    """Return the actors that may not decide second after `subject` acted for `principal`.

    These are both of them, everybody who acts for one of them, and `subject` acting for others.
    """
    return [
        Actor(subject),
        Actor(principal),
        Actor(new_id(), subject),
        Actor(new_id(), principal),
        Actor(subject, new_id()),
    ]


def routes(app: FastAPI) -> list[APIRoute]:
    """Return all API routes of an app, including those of its routers."""
    found: list[APIRoute] = []
    pending: list[Any] = list(app.routes)
    while pending:
        item = pending.pop(0)
        if isinstance(item, APIRoute):
            found.append(item)
            continue
        router = getattr(item, "original_router", item)
        pending = [*getattr(router, "routes", ()), *pending]
    return found


@asynccontextmanager
async def running(
    app: FastAPI, keys: Keys, service: str, *, ready_seconds: float = 60
) -> AsyncGenerator[AsgiClient]:
    """Run an app's lifespan on topics of its own and give a client once it is ready.

    Relay, consumer and jobs run against real servers.
    """
    life = app.state.life
    topics = {life.relay.topic, *life.inbox.topics}
    for topic in topics:
        await ensure_topic(life.service.settings.kafka, topic, partitions=2)
    with patch("chassis.messaging.consumer.MAX_SECONDS", POLL_SECONDS):
        async with app.router.lifespan_context(app):
            async with asyncio.timeout(ready_seconds):
                await life.prepared.wait()
                if life.consumer:
                    await life.consumer.assigned.wait()
            yield AsgiClient(app, keys, service)


async def eventually(condition: Callable[[], Any], *, seconds: float = 20) -> Any:
    """Poll a condition, plain or async, and return its first truthy value.

    Raises AssertionError when there is none in time.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        value = condition()
        if isawaitable(value):
            value = await value
        if value:
            return value
        if loop.time() > deadline:
            raise AssertionError("the condition did not come true in time")
        await asyncio.sleep(0.02)
