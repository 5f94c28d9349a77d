"""A prison, a Dinas and an employer around one running manpower: each test has its own, and tells events as the other services would."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from aiohttp import web

from chassis.caller import system
from chassis.errors import Unauthenticated
from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.messaging.kafka import KafkaProducer
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.manpower.feed.usecases import number_changes
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import Purpose
from tests.fakes import AsgiClient, eventually, send
from tests.manpower.factories import text_hash

CURSOR_KEY = "22" * 32
UNIT = "C.14JHT01.001.1"
NAME = "Warga Contoh"
R = TypeVar("R")
Json = dict[str, Any]


class Training:
    """Stands in for training's identity query: verifies the token as training does, and keeps what it was asked."""

    def __init__(self, keys: Path) -> None:
        self._verifier = InternalTokenVerifier("training", keys)
        self.asked: list[tuple[str, list[str]]] = []
        self.url = ""
        self.away = False

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Training]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_post("/internal/identities", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if self.away:
            return web.json_response({"code": "busy"}, status=503)
        try:
            asker = self._verifier.calling_service(
                request.headers.get("authorization", "").removeprefix("Bearer "),
                "POST",
                "/internal/identities",
            )
        except Unauthenticated:
            return web.json_response({"code": "unauthenticated"}, status=401)
        refs = (await request.json())["refs"]
        self.asked.append((asker.purpose, refs))
        return web.json_response(
            {
                "items": [
                    {
                        "participant_ref": ref,
                        "name": NAME,
                        "birth_date": "1990-01-01",
                        "sex": "male",
                    }
                    for ref in refs
                ]
            }
        )


@dataclass(slots=True)
class Service:
    """The running service with what stands around it."""

    client: AsgiClient
    producer: KafkaProducer
    namespace: str
    training: Training
    sequences: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class Region:
    """One prison with one Dinas and one employer."""

    service: Service
    tag: str = field(default_factory=lambda: new_id()[-12:])
    regency: str = "19.02"

    @property
    def facility(self) -> str:
        return f"LP-{self.tag}"

    @property
    def dinas_id(self) -> str:
        return f"dinas-{self.tag}"

    @property
    def employer_id(self) -> str:
        return f"usaha-{self.tag}"

    @property
    def engine(self) -> TransactionManager[Transaction]:
        return self.service.client.app.state.engine

    # Callers

    def officer(self, role: str = "case_officer", facility: str | None = None) -> AsgiClient:
        return self.service.client.as_(
            role, subject=f"{role}-{self.tag}", facility=facility or self.facility
        )

    def administrator(self, subject: str = "administrator-1") -> AsgiClient:
        return self.service.client.as_("administrator", subject=subject)

    def dinas(
        self,
        role: str = "dinas_placement",
        *,
        agency: str | None = None,
        regency: str | None = None,
        subject: str = "",
    ) -> AsgiClient:
        return self.service.client.as_(
            role,
            subject=subject or f"{role}-{self.tag}",
            agency=agency or self.dinas_id,
            regency=regency or self.regency,
        )

    def employer(self, employer: str | None = None) -> AsgiClient:
        return self.service.client.as_("employer", employer=employer or self.employer_id)

    # The world outside

    async def open(self) -> None:
        """Register and approve the Dinas and the employer."""
        await self.agency(self.dinas_id, "dinas_tk", facility_ids=[self.facility])
        await self.agency(self.employer_id, "employer_partner")

    async def agency(
        self,
        id: str,
        kind: str,
        *,
        regencies: tuple[str, ...] = ("19.02",),
        facility_ids: list[str] | None = None,
    ) -> None:
        form: Json = {
            "id": id,
            "kind": kind,
            "name": f"Contoh {id}",
            "regency_codes": list(regencies),
            "purpose": "kerja",
            "legal_basis": "surat contoh",
        }
        if kind == "employer_partner":
            form["nib"] = f"{abs(hash(id)) % 10**13:013d}"
        await made(
            self.administrator().post(
                "/v1/agencies", json=form | {"facility_ids": facility_ids or []}
            )
        )
        await done(self.administrator("administrator-2").post(f"/v1/agencies/{id}/approve"))

    async def tell(
        self,
        type_: str,
        key: str,
        body: Mapping[str, Any],
        *,
        facility: str = "",
        at: datetime | None = None,
        id_: str = "",
        sequence: int | None = None,
    ) -> str:
        """Send an event as the service that owns its type would; its id."""
        source = type_.partition(".")[0]
        count = self.service.sequences.get(f"{source}/{key}", 0) + 1
        self.service.sequences[f"{source}/{key}"] = count
        envelope = Envelope(
            id=id_ or new_id(),
            type=type_,
            source=f"bina/{source}",
            key=key,
            time=at or utc_now(),
            sequence=sequence or count,
            aggregate_id=key,
            aggregate_version=1,
            facility_id=facility,
        )
        await send(
            self.service.producer,
            f"{self.service.namespace}{source}.events",
            key,
            json.dumps(body).encode(),
            envelope.headers(),
        )
        return envelope.id

    # People, as training and certification tell of them

    async def admitted(
        self,
        ref: str = "",
        *,
        facility: str | None = None,
        regency: str | None = "19.02",
        as_of: datetime | None = None,
    ) -> str:
        """A person who is inside and known here, with the regency on the KTP recorded."""
        ref = ref or new_id()
        await self.tell_admitted(ref, facility=facility, as_of=as_of)
        await self.known(ref)
        if regency is not None:
            await self.resides(ref, regency, facility)
        return ref

    async def tell_admitted(
        self, ref: str, *, facility: str | None = None, as_of: datetime | None = None, **more: Any
    ) -> str:
        body = {
            "participant_ref": ref,
            "facility_id": facility or self.facility,
            "kind": "new",
            "effective_on": "2026-01-05",
            "as_of": iso(as_of or utc_now() - timedelta(days=2)),
        }
        return await self.tell("training.participant-admitted.v1", ref, body, **more)

    async def tell_released(
        self, ref: str, *, kind: str = "free", on: str = "2026-11-20", as_of: datetime | None = None
    ) -> str:
        body = {
            "participant_ref": ref,
            "facility_id": self.facility,
            "kind": kind,
            "effective_on": on,
            "as_of": iso(as_of or utc_now()),
        }
        return await self.tell("training.participant-released.v1", ref, body)

    async def tell_certified(self, ref: str, certificate: str, *, unit: str = UNIT) -> str:
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
        return await self.tell("certification.certificate-issued.v1", ref, body)

    async def tell_standing(self, ref: str, certificate: str, verb: str) -> str:
        return await self.tell(
            f"certification.certificate-{verb}.v1",
            ref,
            {"participant_ref": ref, "certificate_id": certificate, "scheme_id": "skema-jahit"},
        )

    async def tell_merged(self, from_ref: str, into_ref: str) -> None:
        for key in (from_ref, into_ref):
            await self.tell(
                "training.participant-merged.v1",
                key,
                {
                    "participant_ref": key,
                    "from_ref": from_ref,
                    "into_ref": into_ref,
                    "as_of": iso(utc_now()),
                },
            )

    async def known(self, ref: str, **where: Any) -> Json:
        """The candidate's document once it is as asked for."""
        return await eventually(lambda: self.db.find_one("candidates", {"_id": ref} | where))

    async def handled(self, event_id: str) -> None:
        """Wait until an event took effect."""
        await eventually(lambda: self.db.find_one("inbox", {"_id": event_id, "state": "done"}))

    async def resides(self, ref: str, regency: str, facility: str | None = None) -> None:
        officer = self.officer(facility=facility)
        version = (await done(officer.get(f"/v1/candidates/{ref}")))["version"]
        await done(
            officer.patch(
                f"/v1/candidates/{ref}",
                json={"regency_code": regency},
                headers={"if-match": f'"{version}"'},
            )
        )

    async def consents(
        self,
        ref: str,
        purpose: str = "dinas_registration",
        *,
        recipient: str | None = None,
        fields: tuple[str, ...] = ("name", "skills"),
        days: float = 90,
    ) -> Json:
        """A consent, given now."""
        return await made(
            self.officer().post(
                "/v1/consents", json=self.consent_form(ref, purpose, recipient, fields, days)
            )
        )

    def consent_form(
        self,
        ref: str,
        purpose: str,
        recipient: str | None,
        fields: tuple[str, ...],
        days: float = 90,
    ) -> Json:
        now = utc_now()
        default = self.employer_id if purpose == "employer_share" else self.dinas_id
        return {
            "candidate_id": ref,
            "purpose": purpose,
            "recipient": recipient or default,
            "fields": list(fields),
            "text_version_hash": text_hash(Purpose(purpose)),
            "given_at": iso(now - timedelta(seconds=1)),
            "witness_ref": "petugas-7",
            "expires_at": iso(now + timedelta(days=days)),
        }

    # Work

    async def vacancy(
        self, headcount: int = 1, *, employer: str | None = None, units: tuple[str, ...] = ()
    ) -> str:
        form = {
            "employer_id": employer or self.employer_id,
            "position": "Penjahit",
            "headcount": headcount,
            "regency_code": self.regency,
            "valid_until": str((utc_now() + timedelta(days=30)).date()),
            "start_month": "2027-01",
            "wage_band": {"from_idr": 3_500_000, "to_idr": 4_000_000},
            "requirements": {"units": list(units)},
        }
        return (await made(self.dinas().post("/v1/vacancies", json=form)))["id"]

    async def applies(self, ref: str, vacancy: str, *, until: str = "SUBMITTED") -> str:
        """An application, taken along the table as far as `until`."""
        application = (
            await made(
                self.officer().post(
                    "/v1/job-applications", json={"candidate_id": ref, "vacancy_id": vacancy}
                )
            )
        )["id"]
        for to in (
            "CONSENTED",
            "SUBMITTED",
            "SELECTED_FOR_INTERVIEW",
            "INTERVIEW_BOOKED",
            "OFFERED",
            "ACCEPTED",
        ):
            await done(
                self.officer().post(f"/v1/job-applications/{application}/steps", json={"to": to})
            )
            if to == until:
                break
        return application

    # What is kept

    @property
    def db(self) -> Any:
        return self.service.client.app.state.life.db

    async def as_service(self, use_case: Callable[[Transaction], Awaitable[R]]) -> R:
        """Run a use case as the service itself, as an event or job does."""
        return await self.runner()(use_case)

    def runner(self) -> Runner[Transaction]:
        return Runner(
            self.engine, OperationContext(caller=system("manpower"), correlation_id=new_id())
        )

    async def numbered(self) -> None:
        """Wait until every committed change stands in the feed's log."""
        await number_changes(self.runner())
        await eventually(self._nothing_waits)

    async def _nothing_waits(self) -> bool:
        return await self.db.count("feed_changes", {}) == 0

    async def feed(
        self, client: AsgiClient, after: str | None = None, limit: int = 500
    ) -> tuple[list[Json], str]:
        """All items behind a cursor, and the cursor behind them."""
        await self.numbered()
        items: list[Json] = []
        while True:
            query = f"/v1/feed?limit={limit}" + (f"&after={after}" if after else "")
            page = await done(client.get(query))
            items += page["items"]
            after = page["next_cursor"]
            if not page["has_more"]:
                return items, str(after)

    def travel(self, moment: datetime) -> None:
        """Let the service's clock stand at this moment."""
        self.engine.clock = lambda: moment

    def restore(self) -> None:
        """Let the clock run again."""
        self.engine.clock = utc_now


async def made(asked: Awaitable[httpx2.Response]) -> Json:
    """The body of a 201."""
    answer = await asked
    assert answer.status_code == 201, answer.text
    return answer.json()


async def done(asked: Awaitable[httpx2.Response]) -> Json:
    """The body of a 200."""
    answer = await asked
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(asked: Awaitable[httpx2.Response], status: int, code: str) -> Json:
    """The problem of a refusal."""
    answer = await asked
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    return answer.json()


def iso(moment: datetime) -> str:
    """A moment on the wire."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without_ids(answer: httpx2.Response) -> tuple[int, str, dict[str, str]]:
    """What two answers must have in common to be indistinguishable: all but the request's own id and the length that follows from it."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, re.sub(r'"request_id":"[^"]*"', "", answer.text), headers
