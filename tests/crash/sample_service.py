"""The sample service, which consumes its own topic.

Each event appends one entry to its owner's note, which shows lost, doubled and disordered events.
"""

from __future__ import annotations

from dataclasses import replace

from chassis.app.service import Service
from chassis.messaging.events import Inbound, Reference
from tests.chassis.sample_service import JarFilled, Note, ShopSettings, Transaction, router

TOPIC = "shop.events"


class Heard(Inbound, type="shop.jar-filled.v1"):
    owner_ref: Reference
    marbles: int


async def on_heard(event: Heard, tx: Transaction) -> None:
    note = await tx.notes.seek(event.owner_ref)
    text = f"{event.meta.sequence}"
    if note is None:
        tx.notes.add(Note(id=event.owner_ref, owner_ref=event.owner_ref, texts=(text,)))
    else:
        tx.notes.save(note, replace(note, texts=(*note.texts, text)))


def shop(settings: ShopSettings) -> Service[Transaction]:
    """Describe the sample service."""
    return Service(
        name="shop",
        settings=settings,
        transaction=Transaction,
        routers=(router,),
        published=(JarFilled,),
        handlers={TOPIC: {Heard: on_heard}},
    )
