"""What wire tests begin with: facilities as the sample has them, snapshots imported, a class that takes participants. Not here: any expectation."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI

from chassis.caller import Actor
from chassis.ids import new_id
from chassis.persistence.mongo import Mongo
from services.training.mappings.rules import load_mappings
from tests.fakes import AsgiClient, eventually

SNAPSHOTS = Path(__file__).parent / "snapshots"
HEADINGS: tuple[str, ...] = (
    "No",
    "ID WBP",
    "No. Reg",
    "Nama Lengkap",
    "NIK",
    "Tgl Lahir",
    "JK",
    "Gol",
    "Tanggal Masuk",
    "Ekspirasi",
    "2/3",
    "Kamar",
    "Keberadaan",
    "Ket. Keluar",
    "Tanggal Keluar",
    "Pend.",
    "Tingkat Risiko",
    "Digabung ke",
    "Kode UPT",
)
USUAL = {
    "No. Reg": "B.I 1/2026",
    "Tgl Lahir": "05/03/1990",
    "JK": "L",
    "Gol": "B.I",
    "Tanggal Masuk": "01/02/2026",
    "Ekspirasi": "01/02/2031",
    "2/3": "01/02/2029",
    "Kamar": "A1",
    "Pend.": "SMA",
    "Tingkat Risiko": "Rendah",
}


def database(client: AsgiClient) -> Mongo:
    """The service's database."""
    return client.app.state.life.db


async def dropped(app: FastAPI) -> None:
    """Drop the database of a service that has ended."""
    life = app.state.life
    settings = life.service.settings
    cleaner = Mongo(settings.mongo_url.get_secret_value(), life.database(), settings.mongo_driver)
    await cleaner.drop()
    await cleaner.close()


def administrator(client: AsgiClient) -> AsgiClient:
    """Who sees every facility."""
    return client.as_("administrator", facility="*")


def officer(
    client: AsgiClient, facility_id: str, role: str = "training_officer", subject: str = ""
) -> AsgiClient:
    """An officer of one facility."""
    return client.as_(role, subject=subject, facility=facility_id)


async def facility(client: AsgiClient, facility_id: str, **settings: Any) -> str:
    """A facility; `mapping` names its table, by default that of Lapas Tanjungpandan."""
    body = {
        "facility_id": facility_id,
        "name": f"UPT {facility_id}",
        "kind": "lapas",
        "time_zone": "Asia/Jakarta",
        "regencies": ["19.02"],
        "mapping": "LP-TJP",
    } | settings
    answer = await administrator(client).post("/v1/facilities", json=body)
    assert answer.status_code == 201, answer.text
    return facility_id


async def sample_facilities(client: AsgiClient) -> None:
    """The six facilities of the sample, each with its own mapping."""
    for code, mapping in load_mappings(SNAPSHOTS / "mappings.toml").items():
        await facility(client, code, mapping=mapping.facility_id)


def mapping(code: str) -> dict[str, Any]:
    """The tables of one facility of the sample, as mappings.toml has them."""
    tables = tomllib.loads((SNAPSHOTS / "mappings.toml").read_text())
    return {"facility": tables["facility"][code], "common": tables["common"]}


def rows(facility_id: str, people: Mapping[str, Mapping[str, str]], number: str = "") -> bytes:
    """A list of people as Lapas Tanjungpandan writes it: {source_ref: {heading: value}}, the usual values where nothing is said. `number` fills the column that is not read."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADINGS, delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    for ref, said in people.items():
        writer.writerow(
            {"No": number, "ID WBP": ref, "Nama Lengkap": f"Uji {ref}", "Kode UPT": facility_id}
            | USUAL
            | dict(said)
        )
    return text.getvalue().encode("utf-8-sig")


UPLOADER = Actor("uploader")


async def upload(
    client: AsgiClient, facility_id: str, data: bytes, taken_at: str, *, by: Actor = UPLOADER
) -> dict[str, Any]:
    """Bring a file and wait until it is applied or set aside; the snapshot."""
    registry = officer(client, facility_id, "registry_operator").by(*by)
    answer = await registry.post(
        f"/v1/facilities/{facility_id}/snapshots", params={"taken_at": taken_at}, content=data
    )
    assert answer.status_code in {200, 201}, answer.text
    if answer.json()["state"] == "APPLYING":
        return await applied(registry, answer.json()["snapshot_id"])
    return answer.json()


async def applied(client: AsgiClient, snapshot_id: str) -> dict[str, Any]:
    """The snapshot once it is applied."""

    async def done() -> dict[str, Any] | None:
        found = (await client.get(f"/v1/snapshots/{snapshot_id}")).json()
        return found if found["state"] == "APPLIED" else None

    return await eventually(done, seconds=60)


async def everything(client: AsgiClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get(
            path, params=params | {"limit": 200} | ({"cursor": cursor} if cursor else {})
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


@dataclass
class Place:
    """A facility of its own with people in it, and its officer."""

    client: AsgiClient
    facility_id: str
    refs: dict[str, str]
    officer: AsgiClient
    taken_at: datetime
    people: dict[str, dict[str, str]]

    async def list_again(self, **changed: Mapping[str, str] | None) -> dict[str, Any]:
        """The next day's list: people changed ({source_ref: {heading: value}}) or gone (None)."""
        for ref, said in changed.items():
            if said is None:
                del self.people[ref]
            else:
                self.people[ref] = self.people.get(ref, {}) | dict(said)
        self.taken_at += timedelta(days=1)
        snapshot = await upload(
            self.client,
            self.facility_id,
            rows(self.facility_id, self.people, str(self.taken_at.date())),
            self.taken_at.isoformat(),
        )
        self.refs |= await references(self.officer, self.facility_id)
        return snapshot


async def references(client: AsgiClient, facility_id: str) -> dict[str, str]:
    """{source_ref: participant_ref} of a facility."""
    return {
        person["source_ref"]: person["participant_ref"]
        for person in await everything(client, "/v1/participants", facility_id=facility_id)
    }


async def place(
    client: AsgiClient, people: Iterable[str] | Mapping[str, Mapping[str, str]], **settings: Any
) -> Place:
    """A facility nobody else uses, holding these people as of ten days ago."""
    facility_id = f"UJI-{new_id()[-12:].upper()}"
    await facility(client, facility_id, **settings)
    listed: dict[str, dict[str, str]] = {ref: {} for ref in people}
    if isinstance(people, Mapping):
        listed = {
            ref: dict(said) for ref, said in cast("Mapping[str, Mapping[str, str]]", people).items()
        }
    taken_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    await upload(client, facility_id, rows(facility_id, listed), taken_at.isoformat())
    own = officer(client, facility_id)
    return Place(
        client=client,
        facility_id=facility_id,
        refs=await references(own, facility_id),
        officer=own,
        taken_at=taken_at,
        people=listed,
    )


async def programme(client: AsgiClient, **said: Any) -> str:
    """A programme that asks for nothing but presence, unless told otherwise."""
    body = {
        "title": "Pengolahan Hasil Laut",
        "units": [{"code": "A.1", "title": "Membersihkan ikan"}],
        "scheme_ref": "SKEMA-1",
        "lesson_hours": 16,
        "eligibility": {"tpp_required": False, "application_required": False},
    }
    answer = await administrator(client).post("/v1/programmes", json=body | said)
    assert answer.status_code == 201, answer.text
    return answer.json()["programme_id"]


def today() -> date:
    """The local date in Asia/Jakarta."""
    return (datetime.now(UTC) + timedelta(hours=7)).date()


async def open_class(
    where: Place,
    *,
    seats: int = 10,
    programme_id: str | None = None,
    starts_in: int = 0,
    days: int = 30,
    **said: Any,
) -> str:
    """A class of the place that takes participants."""
    body = {
        "facility_id": where.facility_id,
        "programme_id": programme_id or await programme(where.client),
        "batch_no": "1",
        "starts_on": str(today() + timedelta(days=starts_in)),
        "ends_on": str(today() + timedelta(days=starts_in + days)),
        "seats_total": seats,
    }
    planned = await where.officer.post("/v1/classes", json=body | said)
    assert planned.status_code == 201, planned.text
    class_id = planned.json()["class_id"]
    opened = await where.officer.post(f"/v1/classes/{class_id}/opening")
    assert opened.status_code == 200, opened.text
    return class_id


async def enrolled(where: Place, class_id: str, source_ref: str) -> str:
    """A person of the place in the class; the enrolment."""
    answer = await where.officer.post(
        "/v1/enrolments", json={"class_id": class_id, "participant_ref": where.refs[source_ref]}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["enrolment_id"]


async def session(
    where: Place, class_id: str, *, in_days: int = 0, starts_at: str = "00:00", minutes: int = 240
) -> str:
    """A session of the class."""
    body = {
        "held_on": str(today() + timedelta(days=in_days)),
        "starts_at": starts_at,
        "minutes": minutes,
    }
    answer = await where.officer.post(f"/v1/classes/{class_id}/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["session_id"]


async def marked(where: Place, session_id: str, **marks: str | dict[str, Any]) -> Any:
    """Marks of a session {enrolment: reason or mark}; the answer."""
    body = [
        {"enrolment_id": enrolment_id} | ({"reason": mark} if isinstance(mark, str) else mark)
        for enrolment_id, mark in marks.items()
    ]
    return await where.officer.post(f"/v1/sessions/{session_id}/attendance", json={"marks": body})


async def events_of(client: AsgiClient, key: str) -> list[dict[str, Any]]:
    """The archived events of a key in order: type, body, and who."""
    return await database(client).find("outbox", {"key": key}, sort=[("seq", 1)])


async def types_of(client: AsgiClient, key: str) -> list[str]:
    """The types of a key's events in order, without service and version."""
    return [
        row["type"].removeprefix("training.").removesuffix(".v1")
        for row in await events_of(client, key)
    ]
