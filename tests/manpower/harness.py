"""A prison, a Dinas and an employer around one running manpower; each test has its own."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx2

from chassis.caller import system
from chassis.ids import new_id, utc_now
from chassis.persistence.transactions import Runner, TransactionManager
from chassis.persistence.unit_of_work import OperationContext
from services.manpower.feed.usecases import number_changes
from services.manpower.transaction import Transaction
from services.manpower.visibility.rules import Purpose
from tests.fakes import AsgiClient, eventually
from tests.manpower.factories import PLACEMENT_BODY, text_hash
from tests.manpower.fakes import EventPublisher, iso

COLLECTIONS = {
    "job-applications": "job_applications",
    "consumer-credentials": "consumer_credentials",
}
STEPS = (
    "CONSENTED",
    "SUBMITTED",
    "SELECTED_FOR_INTERVIEW",
    "INTERVIEW_BOOKED",
    "OFFERED",
    "ACCEPTED",
)
WORK_FIELDS = ("steps", "employer", "placement", "wage")
R = TypeVar("R")
Json = dict[str, Any]


@dataclass(slots=True)
class RegionHarness(EventPublisher):
    """One prison with one Dinas and one employer."""

    regency: str = "19.02"

    @property
    def dinas_id(self) -> str:
        return f"dinas-{self.tag}"

    @property
    def employer_id(self) -> str:
        return f"usaha-{self.tag}"

    @property
    def other_employer_id(self) -> str:
        return f"{self.employer_id}-b"

    @property
    def engine(self) -> TransactionManager[Transaction]:
        return self.service.client.app.state.engine

    @property
    def db(self) -> Any:
        return self.service.client.app.state.life.db

    # Callers

    def officer(self, role: str = "case_officer", facility: str | None = None) -> AsgiClient:
        subject = f"{role}-{self.tag}"
        return self.service.client.as_(role, subject=subject, facility=facility or self.facility)

    def administrator(
        self, subject: str = "administrator-1", facility: str | None = None
    ) -> AsgiClient:
        return self.service.client.as_(
            "administrator", subject=subject, facility=facility or self.facility
        )

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

    # Agencies

    async def open(self) -> None:
        """Register and approve the Dinas and the employer."""
        await self.agency(self.dinas_id, "dinas_tk", facility_ids=[self.facility])
        await self.agency(self.employer_id, "employer_partner")

    async def add_other_employer(self) -> str:
        """Register and approve a second employer; return its id."""
        await self.agency(self.other_employer_id, "employer_partner")
        return self.other_employer_id

    async def agency(
        self,
        agency_id: str,
        kind: str,
        *,
        regencies: tuple[str, ...] = ("19.02",),
        facility_ids: list[str] | None = None,
        facility: str | None = None,
    ) -> None:
        """Register and approve an agency."""
        form: Json = {
            "id": agency_id,
            "kind": kind,
            "name": f"Contoh {agency_id}",
            "regency_codes": list(regencies),
            "facility_ids": facility_ids or [],
            "purpose": "kerja",
            "legal_basis": "surat contoh",
        }
        if kind == "employer_partner":
            form["nib"] = f"{abs(hash(agency_id)) % 10**13:013d}"
        await made(self.administrator(facility=facility).post("/v1/agencies", json=form))
        approver = self.administrator("administrator-2", facility)
        await done(self.change(approver, f"/v1/agencies/{agency_id}/approve"))

    async def assign_route(self, regency: str, topic: str, agency_id: str) -> None:
        """Name the agency that answers for a topic in a regency; it is the first one there."""
        path = f"/v1/agency-routes/{regency}/{topic}"
        body = {"agency_id": agency_id}
        await done(self.administrator().request("PUT", path, json=body))

    async def active_consumer(self, credential: str) -> str:
        """Request and approve a consumer of the Dinas, attach a credential; return its path."""
        form = self.consumer_form(self.dinas_id, "dinas_placement")
        consumer = await made(self.administrator().post("/v1/consumers", json=form))
        path = f"/v1/consumers/{consumer['id']}"
        await done(self.change(self.administrator("administrator-2"), f"{path}/approve"))
        self.service.gateway.homes[credential] = [""]
        body = self.credential_form(credential)
        proposed = await made(self.administrator().post(f"{path}/credentials", json=body))
        credential_path = f"/v1/consumer-credentials/{proposed['id']}"
        await done(self.change(self.officer("head"), f"{credential_path}/approve"))
        return path

    def credential_form(self, credential: str, days: float = 90) -> Json:
        return {"credential_ref": credential, "valid_until": iso(utc_now() + timedelta(days=days))}

    def consumer_form(self, agency_id: str, role: str) -> Json:
        grant = {
            "role": role,
            "regency_codes": ["19.02"],
            "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2099-01-01T00:00:00Z",
        }
        return {
            "agency_id": agency_id,
            "kind": "system",
            "title": "Sistem",
            "purpose": "umpan",
            "legal_basis": "surat contoh",
            "grants": [grant],
        }

    # People

    async def admitted(
        self, ref: str = "", *, facility: str | None = None, regency: str | None = "19.02"
    ) -> str:
        """Return a person who is inside and known here, with the regency on the KTP recorded."""
        ref = ref or new_id()
        await self.publish_admission(ref, facility=facility)
        await self.known(ref)
        if regency is not None:
            await self.resides(ref, regency, facility)
        return ref

    async def shared(self, count: int) -> list[str]:
        """Return people whom the Dinas may see."""
        refs = [await self.admitted() for _ in range(count)]
        for ref in refs:
            await self.consents(ref, fields=("skills",))
        return refs

    async def known(self, ref: str, **where: Any) -> Json:
        """Return the candidate's document once it is as expected."""
        return await eventually(lambda: self.db.find_one("candidates", {"_id": ref} | where))

    async def handled(self, event_id: str) -> None:
        """Wait until an event took effect."""
        await eventually(lambda: self.db.find_one("inbox", {"_id": event_id, "state": "done"}))

    async def resides(self, ref: str, regency: str, facility: str | None = None) -> None:
        """Record the regency on a person's KTP."""
        officer = self.officer(facility=facility)
        path = f"/v1/candidates/{ref}"
        headers = await self.if_match(path)
        await done(officer.patch(path, json={"regency_code": regency}, headers=headers))

    async def consents(
        self,
        ref: str,
        purpose: str = "dinas_registration",
        *,
        recipient: str | None = None,
        fields: tuple[str, ...] = ("name", "skills"),
        days: float = 90,
    ) -> Json:
        """Record a consent that is given now; by default it names no work."""
        form = self.consent_form(ref, purpose, recipient, fields, days)
        return await made(self.officer().post("/v1/consents", json=form))

    def consent_form(
        self,
        ref: str,
        purpose: str = "dinas_registration",
        recipient: str | None = None,
        fields: tuple[str, ...] = ("skills",),
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
        """Post a vacancy; return its id."""
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
        """Return an application that was taken along the table as far as `until`."""
        form = {"candidate_id": ref, "vacancy_id": vacancy}
        drafted = await made(self.officer().post("/v1/job-applications", json=form))
        for state in STEPS[: STEPS.index(until) + 1]:
            await done(self.step(self.officer(), drafted["id"], state))
        return drafted["id"]

    async def applicant(self, vacancy: str, until: str = "SUBMITTED") -> tuple[str, str]:
        """Return a person with consents for Dinas and employer, and the application."""
        ref = await self.admitted()
        await self.consents(ref, fields=("name", "skills", *WORK_FIELDS))
        await self.consents(ref, "employer_share")
        return ref, await self.applies(ref, vacancy, until=until)

    async def place(self, client: AsgiClient, application: str, **more: Any) -> httpx2.Response:
        """Place an application, with If-Match of its present version."""
        headers = await self.if_match(f"/v1/job-applications/{application}")
        body = PLACEMENT_BODY | {"application_id": application} | more
        return await client.post("/v1/placements", json=body, headers=headers)

    async def placed(self, application: str) -> str:
        """Place an application as the officer; return the id of the placement."""
        return (await made(self.place(self.officer(), application)))["id"]

    async def step(
        self, client: AsgiClient, application: str, to: str, **more: str
    ) -> httpx2.Response:
        """Take an application to a state, with If-Match of its present version."""
        path = f"/v1/job-applications/{application}/steps"
        return await self.change(client, path, json={"to": to} | more)

    async def state_of(self, application: str) -> str:
        """Return the state of an application."""
        shown = await done(self.officer().get(f"/v1/job-applications/{application}"))
        return shown["state"]

    # Requests and data

    async def change(self, client: AsgiClient, path: str, **more: Any) -> httpx2.Response:
        """Post a change of an existing aggregate with If-Match of its present version."""
        return await client.post(path, headers=await self.if_match(path), **more)

    async def if_match(self, path: str) -> dict[str, str]:
        """Return the header If-Match with the stored version of the aggregate of this path."""
        _, _, noun, aggregate_id, *_ = path.split("/")
        stored = await self.db.find_one(COLLECTIONS.get(noun, noun), {"_id": aggregate_id})
        return {"if-match": f'"{stored["version"]}"'}

    async def as_service(self, use_case: Callable[[Transaction], Awaitable[R]]) -> R:
        """Run a use case as the service itself, as an event or job does."""
        return await self.runner()(use_case)

    def runner(self) -> Runner[Transaction]:
        context = OperationContext(caller=system("manpower"), correlation_id=new_id())
        return Runner(self.engine, context)

    async def numbered(self) -> None:
        """Wait until every committed change has its number in the feed's log."""
        await number_changes(self.runner())
        await eventually(self._no_change_waits)

    async def _no_change_waits(self) -> bool:
        return await self.db.count("feed_changes", {}) == 0

    async def feed(
        self, client: AsgiClient, after: str | None = None, limit: int = 500
    ) -> tuple[list[Json], str]:
        """Return all items behind a cursor, and the cursor behind them."""
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
        """Stop the service's clock at this moment."""
        self.engine.clock = lambda: moment

    def restore(self) -> None:
        """Start the service's clock again."""
        self.engine.clock = utc_now


async def made(request: Awaitable[httpx2.Response]) -> Json:
    """Return the body of a 201."""
    answer = await request
    assert answer.status_code == 201, answer.text
    return answer.json()


async def done(request: Awaitable[httpx2.Response]) -> Json:
    """Return the body of a 200."""
    answer = await request
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(request: Awaitable[httpx2.Response], status: int, code: str) -> Json:
    """Return the problem of a refusal with this status and code."""
    answer = await request
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    return answer.json()


def without_ids(answer: httpx2.Response) -> tuple[int, str, dict[str, str]]:
    """Return what two answers must have in common to be indistinguishable: all but request ids."""
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status_code, re.sub(r'"request_id":"[^"]*"', "", answer.text), headers
