"""Stand-ins for the other services: training's identity query, and the events of all others."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from chassis.errors import Unauthenticated
from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaProducer
from tests.fakes import AsgiClient, send

UNIT = "C.14JHT01.001.1"
NAME = "Warga Contoh"


class FakeTraining:
    """Training's identity query: verifies the token as training does, and records its requests."""

    def __init__(self, keys: Path) -> None:
        self._verifier = InternalTokenVerifier("training", keys)
        self.requests: list[tuple[str, list[str]]] = []
        self.url = ""
        self.is_away = False

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[FakeTraining]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_post("/internal/identities", self._answer)
        async with _serving(app) as url:
            self.url = url
            yield self

    async def _answer(self, request: web.Request) -> web.Response:
        if self.is_away:
            return web.json_response({"code": "busy"}, status=503)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            calling_service = self._verifier.calling_service(token, "POST", "/internal/identities")
        except Unauthenticated:
            return web.json_response({"code": "unauthenticated"}, status=401)
        refs = (await request.json())["refs"]
        self.requests.append((calling_service.purpose, refs))
        return web.json_response({"items": [_identity(ref) for ref in refs]})


class FakeGateway:
    """The gateway's query for the user of a credential; `homes` are its users."""

    def __init__(self, keys: Path) -> None:
        self._verifier = InternalTokenVerifier("gateway", keys)
        self.homes: dict[str, list[str]] = {}
        self.systems: dict[str, str] = {}
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[FakeGateway]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_get("/internal/credentials/{reference}", self._answer)
        async with _serving(app) as url:
            self.url = url
            yield self

    async def _answer(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            self._verifier.calling_service(token, "GET", request.path)
        except Unauthenticated:
            return web.json_response({"code": "unauthenticated"}, status=401)
        reference = request.match_info["reference"]
        user_id = self.systems.get(reference, reference)
        if user_id not in self.homes:
            return web.json_response({"code": "user_unknown"}, status=404)
        return web.json_response({"user_id": user_id, "homes": self.homes[user_id]})


@asynccontextmanager
async def _serving(app: web.Application) -> AsyncGenerator[str]:
    """Serve an application on a free port; give its address."""
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Service:
    """The running service with its surroundings."""

    client: AsgiClient
    producer: KafkaProducer
    namespace: str
    training: FakeTraining
    gateway: FakeGateway
    sequences: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class EventPublisher:
    """Publishes the events of the other services for one region."""

    service: Service
    tag: str = field(default_factory=lambda: new_id()[-12:])

    @property
    def facility(self) -> str:
        return f"LP-{self.tag}"

    async def publish(
        self,
        event_type: str,
        key: str,
        body: Mapping[str, Any],
        *,
        facility: str = "",
        at: datetime | None = None,
        event_id: str = "",
        sequence: int | None = None,
    ) -> str:
        """Publish an event as the service that owns its type would; return its id."""
        source = event_type.partition(".")[0]
        count = self.service.sequences.get(f"{source}/{key}", 0) + 1
        self.service.sequences[f"{source}/{key}"] = count
        envelope = Envelope(
            id=event_id or new_id(),
            type=event_type,
            source=f"bina/{source}",
            key=key,
            time=at or utc_now(),
            sequence=sequence or count,
            aggregate_id=key,
            aggregate_version=1,
            facility_id=facility,
        )
        topic = f"{self.service.namespace}{source}.events"
        value = json.dumps(body).encode()
        await send(self.service.producer, topic, key, value, envelope.headers())
        return envelope.id

    async def publish_admission(
        self, ref: str, *, facility: str | None = None, as_of: datetime | None = None
    ) -> str:
        body = {
            "participant_ref": ref,
            "facility_id": facility or self.facility,
            "kind": "new",
            "effective_on": "2026-01-05",
            "as_of": iso(as_of or utc_now() - timedelta(days=2)),
        }
        return await self.publish("training.participant-admitted.v1", ref, body)

    async def publish_transfer(self, ref: str, to_facility: str) -> str:
        body = {
            "participant_ref": ref,
            "from_facility_id": self.facility,
            "to_facility_id": to_facility,
            "effective_on": "2026-11-20",
            "as_of": iso(utc_now()),
        }
        return await self.publish("training.participant-transferred.v1", ref, body)

    async def publish_release(
        self, ref: str, *, kind: str = "free", on: str = "2026-11-20", **more: str
    ) -> str:
        body = {
            "participant_ref": ref,
            "facility_id": self.facility,
            "kind": kind,
            "effective_on": on,
            "as_of": iso(utc_now()),
        }
        return await self.publish("training.participant-released.v1", ref, body | more)

    async def publish_release_plan(
        self, ref: str, *, kind: str = "free", on: str = "2027-06-17"
    ) -> str:
        body = {
            "participant_ref": ref,
            "facility_id": self.facility,
            "expected_on": on,
            "kind": kind,
        }
        return await self.publish("training.release-planned.v1", ref, body)

    async def publish_work(
        self,
        ref: str,
        *,
        workshop: str = "w-1",
        month: str = "2026-10",
        units_total: int = 12,
    ) -> str:
        body = {
            "participant_ref": ref,
            "workshop_id": workshop,
            "month": month,
            "unit_kind": "hour",
            "units_total": units_total,
        }
        return await self.publish("marketplace.work-logged.v1", ref, body)

    async def publish_certificate(self, ref: str, certificate: str, *, unit: str = UNIT) -> str:
        body = {
            "participant_ref": ref,
            "certificate_id": certificate,
            "scheme_id": "skema-jahit",
            "scheme_title": "Menjahit",
            "units": [{"code": unit, "title": "Menjahit dengan mesin"}],
            "valid_from": "2026-01-01",
            "valid_until": "2029-01-01",
            "digest": "0" * 64,
        }
        return await self.publish("certification.certificate-issued.v1", ref, body)

    async def publish_standing(self, ref: str, certificate: str, verb: str) -> str:
        body = {
            "participant_ref": ref,
            "certificate_id": certificate,
            "scheme_id": "skema-jahit",
        }
        return await self.publish(f"certification.certificate-{verb}.v1", ref, body)

    async def publish_merge(self, from_ref: str, into_ref: str) -> None:
        """Publish a merge under both keys."""
        for key in (from_ref, into_ref):
            body = {
                "participant_ref": key,
                "from_ref": from_ref,
                "into_ref": into_ref,
                "as_of": iso(utc_now()),
            }
            await self.publish("training.participant-merged.v1", key, body)


def iso(moment: datetime) -> str:
    """Return a moment as it is on the wire."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _identity(ref: str) -> dict[str, str]:
    return {"participant_ref": ref, "name": NAME, "birth_date": "1990-01-01", "sex": "male"}
