"""The service under test with what stands around it: training's topic and its answers to `identity_for`, our own topic, LSPs with all that a certificate needs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
from aiohttp import web

from chassis.caller import system
from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaConsumer, KafkaProducer, Partition, Record
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.certification.app import create_app
from services.certification.certificates.rules import WESTERN_INDONESIA
from services.certification.settings import CertificationSettings
from services.certification.transaction import Transaction
from tests.fakes import AsgiClient, Keys, eventually, running, send

Json = dict[str, Any]
R = TypeVar("R")
UNITS = [
    {"code": "F.432111.001.02", "title": "Memasang instalasi penerangan"},
    {"code": "F.432111.002.02", "title": "Mengukur tahanan isolasi"},
]


def today() -> date:
    """The day on which certificates are decided now."""
    return utc_now().astimezone(WESTERN_INDONESIA).date()


class Training:
    """Training's answers to `identity_for`, over real HTTP, to those who hold a token for this very question."""

    def __init__(self, keys: Keys) -> None:
        self.names: dict[str, str] = {}
        self.asked: list[tuple[str, list[str]]] = []
        self.url = ""
        self._verifier = InternalTokenVerifier("training", keys.directory)

    async def answer(self, request: web.Request) -> web.Response:
        asker = self._verifier.calling_service(
            request.headers["authorization"].removeprefix("Bearer "), request.method, request.path
        )
        refs: list[str] = (await request.json())["refs"]
        self.asked.append((asker.purpose, refs))
        return web.json_response(
            {
                "items": [
                    {"participant_ref": ref, "name": self.names[ref], "birth_date": None, "sex": ""}
                    for ref in refs
                    if ref in self.names
                ]
            }
        )

    @asynccontextmanager
    async def answering(self) -> AsyncGenerator[None]:
        app = web.Application()
        app.router.add_post("/internal/identities", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield
        await runner.cleanup()


@dataclass(slots=True)
class Ground:
    """What outlives one process of the service: its settings, database, keys, and training."""

    keys: Keys
    settings: CertificationSettings
    training: Training

    @classmethod
    @asynccontextmanager
    async def laid(cls, place: Path, mongo_url: str, kafka: str) -> AsyncGenerator[Ground]:
        """Lay it; its database is dropped afterwards."""
        (place / "trusted").mkdir()
        keys = Keys.make(place / "trusted")
        training = Training(keys)
        async with training.answering():
            own: Json = {
                "name_key": "22" * 32,
                "keys_dir": place / "issuers",
                "training_url": training.url,
                "tick_seconds": 1,
                "driver": os.environ.get("BINA_MONGO_DRIVER", "motor"),
            }
            settings = CertificationSettings(
                **keys.settings(
                    "certification",
                    mongo_url=mongo_url,
                    database=f"test_{uuid4().hex[:20]}",
                    kafka=kafka,
                    **own,
                )
            )
            yield cls(keys, settings, training)
            cleaner = Mongo(
                settings.mongo_url.get_secret_value(),
                settings.namespace.rstrip("."),
                settings.mongo_driver,
            )
            await cleaner.drop()
            await cleaner.close()


@dataclass(slots=True)
class Stage:
    """One running service."""

    client: AsgiClient
    keys: Keys
    settings: CertificationSettings
    training: Training
    producer: KafkaProducer
    sequence: int = 0
    heard: list[Json] = field(default_factory=list[Json])

    @classmethod
    @asynccontextmanager
    async def opened(cls, place: Path, mongo_url: str, kafka: str) -> AsyncGenerator[Stage]:
        """Start it on a database of its own, which is dropped afterwards."""
        async with Ground.laid(place, mongo_url, kafka) as ground, cls.on(ground) as stage:
            yield stage

    @classmethod
    @asynccontextmanager
    async def on(cls, ground: Ground) -> AsyncGenerator[Stage]:
        """Start it on what is there."""
        producer = KafkaProducer(ground.settings.kafka, "played-training")
        await producer.start()
        async with running(create_app(ground.settings), ground.keys, "certification") as client:
            stage = cls(client, ground.keys, ground.settings, ground.training, producer)
            hearing = asyncio.create_task(stage.hear())
            yield stage
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        await producer.stop()

    @property
    def engine(self) -> TransactionManager[Transaction]:
        return self.client.app.state.engine

    @property
    def anybody(self) -> AsgiClient:
        """Somebody who holds a paper."""
        return self.client.as_("public", subject="public")

    async def tell(self, type_: str, key: str, **data: Any) -> None:
        """An event of training."""
        self.sequence += 1
        envelope = Envelope(
            id=new_id(),
            type=type_,
            source="bina/training",
            key=key,
            time=utc_now(),
            sequence=self.sequence,
        )
        await send(
            self.producer,
            f"{self.settings.namespace}training.events",
            key,
            json.dumps(data).encode(),
            envelope.headers(),
        )

    async def hear(self) -> None:
        """Collect what certification tells the world."""
        consumer = KafkaConsumer(
            self.settings.kafka,
            f"{self.settings.namespace}listener",
            f"{self.settings.namespace}listener",
            [f"{self.settings.namespace}certification.events"],
        )

        async def from_the_start(partitions: set[Partition]) -> dict[Partition, int | None]:
            return dict.fromkeys(partitions, 0)

        async def whatever(_: set[Partition]) -> None:
            return None

        await consumer.start(from_the_start, whatever)
        try:
            while True:
                for records in (await consumer.poll(500, 0.5)).values():
                    self.heard.extend(_told(record) for record in records)
        finally:
            await consumer.stop()

    def told(self, kind: str, **where: Any) -> list[Json]:
        """The events of a type that were heard, with these members."""
        return [
            event
            for event in self.heard
            if event["type"] == f"certification.{kind}.v1"
            and all(event["data"].get(name) == value for name, value in where.items())
        ]

    async def as_service(self, use_case: Callable[[Transaction], Awaitable[R]]) -> R:
        """Run a use case as the service itself, as an event or job does."""
        return await self.runner(use_case)

    @property
    def runner(self) -> Runner[Transaction]:
        return Runner(
            self.engine, OperationContext(caller=system("certification"), correlation_id=new_id())
        )

    async def stored(self, collection: str, **where: Any) -> list[Json]:
        """Documents as they are kept."""
        return await self.client.app.state.life.db.find(collection, where)


def _told(record: Record) -> Json:
    headers = {name: value.decode() for name, value in record.headers}
    return {
        "type": headers["ce_type"],
        "key": (record.key or b"").decode(),
        "headers": headers,
        "data": json.loads(record.value or b"{}"),
    }


@dataclass(slots=True)
class Lsp:
    """One LSP with what it needs to certify."""

    stage: Stage
    id: str
    did: str
    scheme_ref: str
    assessor: Json = field(default_factory=dict[str, Any])
    venue: Json = field(default_factory=dict[str, Any])

    @classmethod
    async def founded(cls, stage: Stage) -> Lsp:
        """Registered, licensed, with keys, a scheme, an assessor and a venue that is verified for today."""
        unique = new_id()[-10:]
        administrator = stage.client.as_("administrator", lsp="*")
        made = await done(
            administrator.post(
                "/v1/lsps",
                json={
                    "slug": f"konstruksi-{unique}",
                    "name": f"LSP Konstruksi {unique}",
                    "kind": "P3",
                },
            ),
            201,
        )
        lsp = cls(stage, made["lsp_id"], made["did"], f"listrik-{unique}")
        await done(lsp.officer.post(f"/v1/lsps/{lsp.id}/licences", json=lsp.licence()), 201)
        await done(lsp.officer.post(f"/v1/lsps/{lsp.id}/keys"), 201)
        await lsp.publish()
        lsp.assessor = await lsp.new_assessor()
        lsp.venue = await lsp.new_venue()
        return lsp

    @property
    def officer(self) -> AsgiClient:
        return self.stage.client.as_("lsp_officer", subject=f"officer-{self.id}", lsp=self.id)

    @property
    def committee(self) -> AsgiClient:
        return self.stage.client.as_("committee", subject=f"committee-{self.id}", lsp=self.id)

    def assessing(self, assessor: Json | None = None) -> AsgiClient:
        found = assessor or self.assessor
        return self.stage.client.as_(
            "assessor", subject=f"user-{found['assessor_id']}", assignment=found["assessor_id"]
        )

    def licence(self, **changed: Any) -> Json:
        around = {
            "number": "BNSP-LSP-0001-ID",
            "valid_from": str(today() - timedelta(days=400)),
            "valid_until": str(today() + timedelta(days=400)),
        }
        return around | {"scheme_refs": [self.scheme_ref]} | changed

    async def publish(self, **changed: Any) -> Json:
        """An edition of the scheme."""
        terms = {
            "lsp_id": self.id,
            "scheme_ref": self.scheme_ref,
            "title": "Pemasangan Instalasi Listrik Sederhana",
            "packaging": "cluster",
            "description": "Memasang dan memeriksa instalasi listrik satu fasa.",
            "criteria": "Dinyatakan kompeten pada semua unit.",
            "units": UNITS,
            "code_patterns": ["X.000000.000.00"],
        }
        return await done(self.officer.post("/v1/schemes", json=terms | changed), 201)

    async def new_assessor(self, **changed: Any) -> Json:
        facts = {
            "lsp_id": self.id,
            "name": "Asesor Satu",
            "met_no": f"MET.000.{new_id()[-8:]}",
            "met_valid_until": str(today() + timedelta(days=90)),
            "scheme_refs": [self.scheme_ref],
        }
        return await done(self.officer.post("/v1/assessors", json=facts | changed), 201)

    async def new_venue(self, *, verified: bool = True, **changed: Any) -> Json:
        facts = {
            "lsp_id": self.id,
            "name": "TUK Bengkel Listrik",
            "kind": "occasional",
            "scheme_refs": [self.scheme_ref],
        }
        venue = await done(self.officer.post("/v1/venues", json=facts | changed), 201)
        if verified:
            await done(
                self.officer.post(
                    f"/v1/venues/{venue['venue_id']}/verifications",
                    json={
                        "valid_from": str(today()),
                        "valid_until": str(today()),
                        "scheme_refs": [self.scheme_ref],
                    },
                ),
                201,
            )
        return venue

    async def completed(self, participant_ref: str, **changed: Any) -> None:
        """Training tells of a completed course of this scheme's programme."""
        course = {
            "participant_ref": participant_ref,
            "enrolment_id": new_id(),
            "class_id": "class-1",
            "programme_id": "programme-1",
            "programme_version": 1,
            "title": "Instalasi listrik",
            "units": UNITS,
            "scheme_ref": self.scheme_ref,
            "lesson_hours": 160,
            "attended_minutes": 9_000,
            "completed_on": str(today()),
            "instructor_refs": ["instructor-1"],
        }
        await self.stage.tell("training.course-completed.v1", participant_ref, **(course | changed))

    async def opened(self, participant_ref: str | None = None, **changed: Any) -> Json:
        """The application that a completed course opened."""
        ref = participant_ref or new_id()
        self.stage.training.names.setdefault(ref, "Siti Aminah")
        await self.completed(ref, **changed)

        async def there() -> Json | None:
            found = await done(
                self.officer.get("/v1/assessment-applications", params={"participant_ref": ref})
            )
            return found["items"][0] if found["items"] else None

        return await eventually(there)

    async def filled(self, participant_ref: str | None = None) -> str:
        """The id of an application with both forms."""
        path = (
            f"/v1/assessment-applications/{(await self.opened(participant_ref))['application_id']}"
        )
        await done(
            self.officer.request(
                "PUT",
                f"{path}/apl-01",
                json={
                    "evidence": [{"kind": "pelatihan", "description": "160 JP"}],
                    "signed_on": str(today()),
                },
            )
        )
        await done(
            self.officer.request(
                "PUT",
                f"{path}/apl-02",
                json={"units": {unit["code"]: True for unit in UNITS}, "signed_on": str(today())},
            )
        )
        return path.rpartition("/")[2]

    def assignment(self, **changed: Any) -> Json:
        return {
            "assessor_id": self.assessor["assessor_id"],
            "venue_id": self.venue["venue_id"],
            "held_on": str(today()),
        } | changed

    async def recommended(
        self, participant_ref: str | None = None, *, results: str = "K", competent: bool = True
    ) -> str:
        """The id of an application that was assessed and recommended, its name confirmed by a second person."""
        id_ = await self.filled(participant_ref)
        path, assessor = f"/v1/assessment-applications/{id_}", self.assessing()
        await done(self.officer.request("PUT", f"{path}/assignment", json=self.assignment()))
        await done(assessor.request("PUT", f"{path}/declaration", json={"conflict": False}))
        await done(
            assessor.request(
                "PUT",
                f"{path}/unit-results",
                json={"units": {unit["code"]: results for unit in UNITS}},
            )
        )
        acting = assessor.by(assessor.caller.subject, f"absent-{self.id}")
        await done(acting.request("PUT", f"{path}/recommendation", json={"competent": competent}))
        await done(self.officer.request("PUT", f"{path}/name"))
        name = (await done(self.committee.get(f"{path}/name")))["name"]
        await done(self.committee.request("PUT", f"{path}/name/confirmation", json={"name": name}))
        return id_

    def sitting(self, *application_ids: str, competent: bool = True, **changed: Any) -> Json:
        decisions = [{"application_id": id_, "competent": competent} for id_ in application_ids]
        return {
            "lsp_id": self.id,
            "minutes_no": "BA-01",
            "decided_on": str(today()),
            "members": [{"name": "Ketua Pleno"}, {"name": "Anggota Pleno"}],
            "decisions": decisions,
        } | changed

    async def certificate(self, participant_ref: str | None = None) -> Json:
        """An issued certificate."""
        application_id = await self.recommended(participant_ref)
        decided = await done(
            self.committee.post("/v1/panel-decisions", json=self.sitting(application_id)), 201
        )
        return await self.issued(decided["items"][0]["certificate_id"])

    async def issued(self, certificate_id: str) -> Json:
        """The certificate, once it is signed."""

        async def signed() -> Json | None:
            found = await done(self.officer.get(f"/v1/certificates/{certificate_id}"))
            return found if found["state"] == "issued" else None

        return await eventually(signed)

    async def credential(self, certificate_id: str) -> Json:
        return await done(self.officer.get(f"/v1/certificates/{certificate_id}/credential"))

    async def verified(self, document: Json) -> Json:
        """What anybody is told of this document."""
        return await done(self.stage.anybody.post("/v1/verifications", json=document))


async def done(asked: Awaitable[httpx2.Response], status: int = 200) -> Any:
    """The JSON answer, which must have this status."""
    answer = await asked
    assert answer.status_code == status, answer.text
    return answer.json()


async def refused(asked: Awaitable[httpx2.Response], status: int = 422) -> set[str]:
    """The codes of a refusal, which must have this status."""
    answer = await asked
    assert answer.status_code == status, answer.text
    body = answer.json()
    return {reason["code"] for reason in body.get("reasons", [])} or {body["code"]}
