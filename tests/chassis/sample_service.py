"""A small service without business: jars with marbles, and events about their owners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, FastAPI, Response
from pydantic import BaseModel

from chassis.admin import operator_api
from chassis.app import factory, service
from chassis.errors import Conflict, NotFound, Refused
from chassis.http import dependencies, paging
from chassis.http.idempotency import RequestRunner
from chassis.messaging.events import Event, Inbound, Reference, SubjectNotKnownYet
from chassis.persistence.store import Index, Page, Store
from chassis.persistence.unit_of_work import StoreOf
from chassis.persistence.unit_of_work import Transaction as UnitOfWork
from chassis.settings import Settings
from chassis.texts import Text


class ShopSettings(Settings, prefix="SHOP_"):
    """The settings that every service has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """A jar of marbles."""

    id: str
    owner_ref: str
    room: str
    marbles: int = 0
    capacity: int = 10
    label: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Texts about an owner, in the order in which the events took effect."""

    id: str
    owner_ref: str
    texts: tuple[str, ...] = ()
    version: int = 0


class JarFilled(Event, type="shop.jar-filled.v1", key="owner_ref"):
    """Marbles went into a jar."""

    owner_ref: Reference
    jar_id: str
    marbles: int


class JarUnknown(NotFound):
    title = Text("Stoples tidak ditemukan", "Jar not found")


class JarFull(Conflict):
    title = Text("Stoples penuh", "The jar is full")


class TooFew(Refused):
    title = Text("Sedikitnya satu kelereng", "At least one marble")


class Jars(Store[Jar]):
    kind = Jar
    collection = "jars"
    unknown = JarUnknown
    scope: ClassVar = {"facility": "room"}
    person = "owner_ref"
    indexes = (Index("label", unique=True, where={"label": {"$gt": ""}}), Index("owner_ref"))
    secret = frozenset({"label"})


class Notes(Store[Note]):
    kind = Note
    collection = "notes"
    scope: ClassVar = {"public": ""}
    awaited = True


class Transaction(UnitOfWork):
    jars = StoreOf(Jars)
    notes = StoreOf(Notes)


Run = Annotated[RequestRunner[Transaction], Depends(dependencies.runner)]


def fill(jar: Jar, marbles: int) -> tuple[Jar, list[Event]]:
    if marbles < 1:
        raise TooFew(field="marbles")
    if jar.marbles + marbles > jar.capacity:
        raise JarFull(marbles=jar.marbles)
    return replace(jar, marbles=jar.marbles + marbles), [
        JarFilled(owner_ref=jar.owner_ref, jar_id=jar.id, marbles=marbles)
    ]


async def make_jar(jar: Jar, tx: Transaction) -> Jar:
    return tx.jars.add(jar)


async def fill_jar(
    jar_id: str, marbles: int, tx: Transaction, *, if_match: int | None = None
) -> Jar:
    before = await tx.jars.get(jar_id, if_match=if_match)
    after, events = fill(before, marbles)
    return tx.jars.save(before, after, events)


def with_text(data: dict[str, Any]) -> dict[str, Any]:
    return data | {"text": data.get("words", "")}


class NoteTold(Inbound, type="outside.note-told.v1", upcasts={"outside.note-told.v0": with_text}):
    owner_ref: Reference
    text: str


class OwnerAdmitted(Inbound, type="outside.owner-admitted.v1"):
    owner_ref: Reference


class OwnerMerged(Inbound, type="outside.owner-merged.v1"):
    owner_ref: str
    from_ref: str
    into_ref: str


async def on_note_written(event: NoteTold, tx: Transaction) -> None:
    note = await tx.notes.seek(event.owner_ref)
    if note is None:
        raise SubjectNotKnownYet(event.owner_ref)
    if event.text.startswith("poison"):
        tx.notes.save(note, replace(note, texts=(*note.texts, "half done")))
        raise JarFull
    if event.text.startswith("flushed poison"):
        tx.notes.save(note, replace(note, texts=(*note.texts, "half done")))
        await tx.notes.find({"owner_ref": event.owner_ref})
        raise JarFull
    tx.notes.save(
        note,
        replace(note, texts=(*note.texts, event.text)),
        [JarFilled(owner_ref=event.owner_ref, jar_id=event.meta.id, marbles=1)],
    )


async def on_owner_admitted(event: OwnerAdmitted, tx: Transaction) -> None:
    if await tx.notes.seek(event.owner_ref) is None:
        tx.notes.add(Note(id=event.owner_ref, owner_ref=event.owner_ref))


async def on_owner_merged(event: OwnerMerged, tx: Transaction) -> None:
    if await tx.resolve(event.from_ref) != event.from_ref:
        return
    old = await tx.notes.seek(event.from_ref)
    await tx.alias(event.from_ref, event.into_ref)
    if old is None:
        return
    new = await tx.notes.seek(event.into_ref)
    if new is None:
        tx.notes.add(replace(old, id=event.into_ref, owner_ref=event.into_ref))
    else:
        tx.notes.save(new, replace(new, texts=(*new.texts, *old.texts)))
    tx.notes.remove(old)


HANDLERS = {
    "outside.events": {
        NoteTold: on_note_written,
        OwnerAdmitted: on_owner_admitted,
        OwnerMerged: on_owner_merged,
    }
}
router = APIRouter()


class JarBody(BaseModel):
    id: str
    marbles: int
    version: int

    @classmethod
    def of(cls, jar: Jar) -> JarBody:
        return cls(id=jar.id, marbles=jar.marbles, version=jar.version)


class NewJar(BaseModel):
    model_config = dependencies.STRICT
    id: str
    owner_ref: str
    room: str
    label: str = ""


class Marbles(BaseModel):
    model_config = dependencies.STRICT
    marbles: int


@router.post("/v1/jars", status_code=201)
async def post_jar(body: NewJar, run: Run) -> JarBody:
    return JarBody.of(
        await run(
            partial(
                make_jar,
                Jar(id=body.id, owner_ref=body.owner_ref, room=body.room, label=body.label),
            )
        )
    )


@router.get("/v1/jars")
async def list_jars(
    run: Run, cursor: str | None = None, limit: dependencies.Limit = 50
) -> paging.PageBody[JarBody]:
    async def page(tx: Transaction) -> Page[Jar]:
        return await tx.jars.page({}, sort=("marbles", 1), cursor=cursor, limit=limit)

    found = await run(page)
    return paging.PageBody(
        items=[JarBody.of(jar) for jar in found.items], next_cursor=found.next_cursor
    )


@router.get("/v1/jars/{jar_id}")
async def get_jar(jar_id: str, run: Run, response: Response) -> JarBody:
    async def read(tx: Transaction) -> Jar:
        return await tx.jars.get(jar_id)

    jar = await run(read)
    dependencies.set_etag(response, jar)
    return JarBody.of(jar)


@router.post("/v1/jars/{jar_id}/fillings")
async def post_filling(
    jar_id: str, body: Marbles, run: Run, if_match: dependencies.IfMatch
) -> JarBody:
    return JarBody.of(
        await run(
            partial(fill_jar, jar_id, body.marbles, if_match=if_match), contended=[f"jars/{jar_id}"]
        )
    )


@router.get(
    "/internal/jars/{jar_id}",
    dependencies=[dependencies.require_service("training", purposes=["count"])],
)
async def internal_jar(jar_id: str, run: Run) -> JarBody:
    async def read(tx: Transaction) -> Jar:
        return await tx.jars.get(jar_id)

    return JarBody.of(await run(read))


def create_app(settings: ShopSettings) -> FastAPI:
    return factory.create_app(
        service.Service(
            name="shop",
            settings=settings,
            transaction=Transaction,
            routers=(router, operator_api.router("shop")),
            published=(JarFilled,),
            handlers=HANDLERS,
        )
    )
