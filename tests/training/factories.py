"""Builders for wire tests: facilities, snapshots, classes, applications, decisions.

They assert only that the step itself succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from fastapi import FastAPI

from chassis.caller import Actor, system
from chassis.ids import new_id, utc_now
from chassis.messaging.events import Envelope
from chassis.persistence.mongo import Mongo
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import OperationContext
from services.training.mappings.rules import load_mappings
from services.training.transaction import Transaction
from tests.fakes import AsgiClient, eventually
from tests.training.snapshot_files import SNAPSHOTS, snapshot_file

UPLOADER = Actor("uploader")


# The service


def database(client: AsgiClient) -> Mongo:
    """Return the service's database."""
    return client.app.state.life.db


async def drop_database(app: FastAPI) -> None:
    """Drop the database of a service that has ended."""
    life = app.state.life
    settings = life.service.settings
    cleaner = Mongo(settings.mongo_url.get_secret_value(), life.database(), settings.mongo_driver)
    await cleaner.drop()
    await cleaner.close()


def runner(client: AsgiClient) -> Runner[Transaction]:
    """Return a runner of use cases as the service itself."""
    context = OperationContext(caller=system("training"), correlation_id="test")
    return Runner(client.app.state.engine, context)


def administrator(client: AsgiClient) -> AsgiClient:
    """Return a caller who sees every facility."""
    return client.as_("administrator", facility="*")


def officer(
    client: AsgiClient, facility_id: str, role: str = "training_officer", subject: str = ""
) -> AsgiClient:
    """Return an officer of one facility."""
    return client.as_(role, subject=subject, facility=facility_id)


async def change(client: AsgiClient, path: str, body: Any = None) -> Any:
    """Post a change of the aggregate above this path, with its current version in If-Match."""
    shown = await client.get(path.rpartition("/")[0])
    version = {"if-match": shown.headers.get("etag", '"0"')}
    return await client.post(path, json=body, headers=version)


async def list_all(client: AsgiClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return all items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page_params = params | {"limit": 200} | ({"cursor": cursor} if cursor else {})
        answer = await client.get(path, params=page_params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


async def list_events(client: AsgiClient, key: str) -> list[dict[str, Any]]:
    """Return the outbox rows of a key in order."""
    return await database(client).find("outbox", {"key": key}, sort=[("seq", 1)])


async def list_event_types(client: AsgiClient, key: str) -> list[str]:
    """Return the types of a key's events in order, without service and version."""
    return [
        row["type"].removeprefix("training.").removesuffix(".v1")
        for row in await list_events(client, key)
    ]


def envelope(type_name: str, key: str, *, seq: int = 1, at: datetime | None = None) -> Envelope:
    """Return the envelope of an event as its service publishes it."""
    service = type_name.partition(".")[0]
    return Envelope(
        id=new_id(),
        type=type_name,
        source=f"bina/{service}",
        key=key,
        time=at or utc_now(),
        sequence=seq,
        correlation_id="uji",
    )


# Facilities and snapshots


async def create_facility(client: AsgiClient, facility_id: str, **settings: Any) -> str:
    """Open a facility; `mapping` names its table, by default that of Lapas Tanjungpandan."""
    body = {
        "facility_id": facility_id,
        "name": f"UPT {facility_id}",
        "kind": "lapas",
        "time_zone": "Asia/Jakarta",
        "regencies": ["19.02"],
        "mapping": "LP-TJP",
        "head_approval_required": False,
    } | settings
    answer = await administrator(client).post("/v1/facilities", json=body)
    assert answer.status_code == 201, answer.text
    return facility_id


def new_facility_id() -> str:
    """Return a facility id that no other test uses."""
    return f"UJI-{new_id()[-12:].upper()}"


async def create_sample_facilities(client: AsgiClient) -> None:
    """Open the six facilities of the sample, each with its own mapping."""
    for code, mapping in load_mappings(SNAPSHOTS / "mappings.toml").usable.items():
        await create_facility(client, code, mapping=mapping.facility_id)


async def upload(
    client: AsgiClient, facility_id: str, data: bytes, taken_at: str, *, by: Actor = UPLOADER
) -> dict[str, Any]:
    """Upload a file and return the snapshot once it is applied or quarantined."""
    registry = officer(client, facility_id, "registry_operator").by(*by)
    answer = await registry.post(
        f"/v1/facilities/{facility_id}/snapshots", params={"taken_at": taken_at}, content=data
    )
    assert answer.status_code in {200, 201}, answer.text
    snapshot = answer.json()
    if snapshot["state"] == "APPLYING":
        return await wait_until_applied(registry, snapshot["snapshot_id"])
    return snapshot


async def wait_until_applied(client: AsgiClient, snapshot_id: str) -> dict[str, Any]:
    """Return the snapshot once it is applied."""

    async def find_applied() -> dict[str, Any] | None:
        snapshot = (await client.get(f"/v1/snapshots/{snapshot_id}")).json()
        return snapshot if snapshot["state"] == "APPLIED" else None

    return await eventually(find_applied, seconds=60)


@dataclass
class FacilityHarness:
    """A facility that no other test uses, with people in it and its officer."""

    client: AsgiClient
    facility_id: str
    refs: dict[str, str]
    officer: AsgiClient
    taken_at: datetime
    people: dict[str, dict[str, str]]

    def move_to_today(self) -> None:
        """Let the next list be one of this moment; a release of today is no planned one in it."""
        self.taken_at = datetime.now(UTC) - timedelta(days=1)

    async def list_again(self, **changed: Mapping[str, str] | None) -> dict[str, Any]:
        """Upload the next day's list: people changed ({heading: value}) or gone (None)."""
        for ref, values in changed.items():
            if values is None:
                del self.people[ref]
            else:
                self.people[ref] = self.people.get(ref, {}) | dict(values)
        self.taken_at += timedelta(days=1)
        data = snapshot_file(self.facility_id, self.people, str(self.taken_at.date()))
        snapshot = await upload(self.client, self.facility_id, data, self.taken_at.isoformat())
        self.refs |= await read_references(self.officer, self.facility_id)
        return snapshot


async def read_references(client: AsgiClient, facility_id: str) -> dict[str, str]:
    """Return {source_ref: participant_ref} of a facility."""
    people = await list_all(client, "/v1/participants", facility_id=facility_id)
    return {person["source_ref"]: person["participant_ref"] for person in people}


async def create_harness(
    client: AsgiClient, people: Iterable[str] | Mapping[str, Mapping[str, str]], **settings: Any
) -> FacilityHarness:
    """Open a facility that holds these people as of ten days ago."""
    facility_id = new_facility_id()
    await create_facility(client, facility_id, **settings)
    listed: dict[str, dict[str, str]] = {ref: {} for ref in people}
    if isinstance(people, Mapping):
        given = cast("Mapping[str, Mapping[str, str]]", people)
        listed = {ref: dict(values) for ref, values in given.items()}
    taken_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    await upload(client, facility_id, snapshot_file(facility_id, listed), taken_at.isoformat())
    own_officer = officer(client, facility_id)
    return FacilityHarness(
        client=client,
        facility_id=facility_id,
        refs=await read_references(own_officer, facility_id),
        officer=own_officer,
        taken_at=taken_at,
        people=listed,
    )


# Programmes, classes, applications and decisions


def local_today() -> date:
    """Return the local date in Asia/Jakarta."""
    return (datetime.now(UTC) + timedelta(hours=7)).date()


def day(number: int) -> date:
    """Return the day that many days after the local date of today."""
    return local_today() + timedelta(days=number)


async def publish_programme(client: AsgiClient, **changes: Any) -> str:
    """Publish a programme that demands nothing but presence, unless changed."""
    body = {
        "title": "Pengolahan Hasil Laut",
        "units": [{"code": "A.1", "title": "Membersihkan ikan"}],
        "scheme_ref": "SKEMA-1",
        "lesson_hours": 5,
        "eligibility": {"tpp_required": False, "application_required": False},
    }
    answer = await administrator(client).post("/v1/programmes", json=body | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()["programme_id"]


async def open_class(
    facility: FacilityHarness,
    *,
    seats: int = 10,
    programme_id: str | None = None,
    starts_in: int = 0,
    days: int = 30,
    **changes: Any,
) -> str:
    """Plan and open a class of the facility; return its id."""
    body = {
        "facility_id": facility.facility_id,
        "programme_id": programme_id or await publish_programme(facility.client),
        "batch_no": "1",
        "starts_on": str(local_today() + timedelta(days=starts_in)),
        "ends_on": str(local_today() + timedelta(days=starts_in + days)),
        "seats_total": seats,
    }
    planned = await facility.officer.post("/v1/classes", json=body | changes)
    assert planned.status_code == 201, planned.text
    class_id = planned.json()["class_id"]
    opened = await change(facility.officer, f"/v1/classes/{class_id}/opening")
    assert opened.status_code == 200, opened.text
    return class_id


async def apply(facility: FacilityHarness, source_ref: str, *class_ids: str) -> Any:
    """Hand in one form of a person for these classes; return the answer."""
    body = {"participant_ref": facility.refs[source_ref], "class_ids": list(class_ids)}
    return await facility.officer.post("/v1/class-applications", json=body)


async def read_application(facility: FacilityHarness, application_id: str) -> dict[str, Any]:
    """Return one application."""
    return (await facility.officer.get(f"/v1/class-applications/{application_id}")).json()


async def record_decision(
    facility: FacilityHarness, programme_id: str, verdicts: dict[str, str], **changes: Any
) -> Any:
    """Record a decision of today with verdicts {source_ref: verdict}; return the answer."""
    results = [
        {
            "participant_ref": facility.refs[ref],
            "verdict": verdict,
            "reason": "" if verdict == "RECOMMENDED" else "alasan",
        }
        for ref, verdict in verdicts.items()
    ]
    body = {
        "facility_id": facility.facility_id,
        "hearing_on": str(local_today()),
        "scope": "programme",
        "scope_ref": programme_id,
        "results": results,
        "document_ref": "TPP/2026/1",
    }
    return await facility.officer.post("/v1/tpp-decisions", json=body | changes)


# Enrolments, sessions and attendance


async def try_enrol(facility: FacilityHarness, class_id: str, source_ref: str) -> Any:
    """Ask for a seat; return the answer, whatever it is."""
    body = {"class_id": class_id, "participant_ref": facility.refs[source_ref]}
    return await facility.officer.post("/v1/enrolments", json=body)


async def enrol(facility: FacilityHarness, class_id: str, source_ref: str) -> str:
    """Enrol a person of the facility; return the enrolment's id."""
    answer = await try_enrol(facility, class_id, source_ref)
    assert answer.status_code == 201, answer.text
    return answer.json()["enrolment_id"]


async def count_taken(facility: FacilityHarness, class_id: str) -> tuple[int, int]:
    """Return the number of seats taken and of live enrolments."""
    stored = database(facility.client)
    seats = await stored.find_one("class_seats", {"_id": class_id})
    assert seats
    live = await stored.count("enrolments", {"class_id": class_id, "live": True})
    return seats["taken"], live


async def plan_session(
    facility: FacilityHarness,
    class_id: str,
    *,
    in_days: int = 0,
    starts_at: str = "00:00",
    minutes: int = 240,
) -> str:
    """Plan a session of the class; return its id."""
    body = {
        "held_on": str(local_today() + timedelta(days=in_days)),
        "starts_at": starts_at,
        "minutes": minutes,
    }
    answer = await facility.officer.post(f"/v1/classes/{class_id}/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


async def mark(facility: FacilityHarness, session_id: str, **marks: str | dict[str, Any]) -> Any:
    """Mark a session {enrolment: reason or whole mark}; return the answer."""
    body = [
        {"enrolment_id": enrolment_id} | ({"reason": given} if isinstance(given, str) else given)
        for enrolment_id, given in marks.items()
    ]
    return await facility.officer.post(
        f"/v1/sessions/{session_id}/attendance", json={"marks": body}
    )


# What officers read


async def read_person(facility: FacilityHarness, source_ref: str) -> dict[str, Any]:
    """Return the participant with this source reference."""
    [person] = await list_all(facility.officer, "/v1/participants", source_ref=source_ref)
    return person


async def read_enrolment(facility: FacilityHarness, enrolment_id: str) -> dict[str, Any]:
    """Return one enrolment."""
    return (await facility.officer.get(f"/v1/enrolments/{enrolment_id}")).json()


async def read_seats_taken(facility: FacilityHarness, class_id: str) -> int:
    """Return the number of seats taken in a class."""
    return (await facility.officer.get(f"/v1/classes/{class_id}")).json()["seats"]["seats_taken"]


async def read_attendance(
    facility: FacilityHarness, *session_ids: str
) -> dict[str, tuple[str, str | None]]:
    """Return {enrolment/number of the session: (state, reason)} of these sessions."""
    states: dict[str, tuple[str, str | None]] = {}
    for number, session_id in enumerate(session_ids, 1):
        path = f"/v1/sessions/{session_id}/attendance"
        for record in await list_all(facility.officer, path):
            states[f"{record['enrolment_id']}/{number}"] = (record["state"], record["reason"])
    return states
