"""What operators ask of one service over HTTP: parked sequences, lag, outbox, replay. Not here: how any of it is done, and who may ask (the gateway)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import telemetry
from chassis.admin import replay
from chassis.admin.parked_event_admin import Body, ParkedEventAdmin, decode_segment, encode_segment
from chassis.admin.parked_reasons import explain
from chassis.admin.replay import ReplayRange
from chassis.http import dependencies
from chassis.messaging.kafka import Record
from chassis.messaging.parked_events import ParkedUnknown
from chassis.persistence.mongo import Document
from chassis.persistence.store import CursorInvalid
from chassis.persistence.unit_of_work import Transaction

Name = Annotated[
    str, Field(max_length=1_000)
]  # a bound also refuses what no database takes for text


class Discard(BaseModel):
    """Which letter is given up for ever, and why."""

    model_config = ConfigDict(extra="forbid")
    event_id: Name
    reason: str = Field(max_length=500)


class EventStatusQuery(BaseModel):
    """Events of a topic, by id and type, of which a reader tells what it did with them."""

    model_config = ConfigDict(extra="forbid")
    topic: Name
    events: list[tuple[Name, Name]] = Field(max_length=replay.PAGE)


async def _desk(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> ParkedEventAdmin:
    return ParkedEventAdmin(
        request.app.state.life, await dependencies.runner(request, idempotency_key)
    )


At = Annotated[ParkedEventAdmin, Depends(_desk)]


async def parked_sequences(
    desk: At, cursor: str | None = None, limit: dependencies.Limit = 50
) -> Body:
    """What waits here for a person to act: what failed, and what to do."""

    async def list_parked(tx: Transaction) -> list[Document]:
        markers = await desk.sequences(
            tx, after=decode_segment(cursor, CursorInvalid) if cursor else "", limit=limit + 1
        )
        tx.note(
            "parked.listed", desk.service, sequences=[marker["_id"] for marker in markers[:limit]]
        )
        return markers

    markers: list[Document] = await desk.run(list_parked)
    return {
        "items": await desk.describe(markers[:limit]),
        "next_cursor": encode_segment(markers[limit - 1]["_id"]) if len(markers) > limit else None,
    }


async def parked_sequence(
    sequence: str, desk: At, response: Response, limit: dependencies.Limit = 50
) -> Body:
    """One sequence with its first letters, their bodies redacted by rule."""
    marker, letters = await desk.run(
        partial(desk.open_sequence, decode_segment(sequence, ParkedUnknown), limit)
    )
    response.headers["etag"] = f'"{marker["version"]}"'
    shown = [
        {
            "id": one.id,
            "type": one.type,
            "since": one.since,
            "time": one.time,
            "body": one.body,
            **explain(one.reason),
        }
        for one in letters
    ]
    return (await desk.describe([marker]))[0] | {"letters": shown}


async def retry_parked(
    sequence: str, desk: At, version: dependencies.RequiredIfMatch, *, dry_run: bool = False
) -> Body:
    """Handle the sequence again from its first letter, at most 200: `took_effect` letters (null: this request came before), `more` = ask again at once."""
    return await desk.retry_sequence(sequence, version, dry_run=dry_run)


async def discard_parked(
    sequence: str,
    body: Discard,
    desk: At,
    version: dependencies.RequiredIfMatch,
    *,
    dry_run: bool = False,
) -> Body:
    """Give one letter up for ever; those behind it wait for a retry."""
    return await desk.act(
        sequence,
        version,
        lambda tx, id_: desk.discard(tx, id_, body.event_id, body.reason),
        dry_run=dry_run,
    )


async def consumer_lag(desk: At) -> Body:
    """Where this reader stands in each partition; `behind` (events) as the asked replica saw it within 5 s, null where another replica reads."""
    stored = {tuple(row["_id"].split("/")[1:]): row for row in await desk.db.find("offsets", {})}
    seen = {
        (one.labels["topic"], one.labels["partition"]): int(one.value)
        for metric in telemetry.CONSUMER_LAG.collect()
        for one in metric.samples
    }
    known = sorted(
        stored.keys() | {where for where in seen if where[0] in desk.inbox.topics},
        key=lambda where: (where[0], int(where[1])),
    )
    partitions: list[Body] = [
        {
            "topic": w[0],
            "partition": int(w[1]),
            "next": stored.get(w, {}).get("next"),
            "at": stored.get(w, {}).get("at"),
            "behind": seen.get(w),
        }
        for w in known
    ]
    return {
        "service": desk.service,
        "behind": sum(one["behind"] or 0 for one in partitions),
        "partitions": partitions,
    }


async def outbox_rows(desk: At, cursor: str | None = None, limit: dependencies.Limit = 50) -> Body:
    """What is committed here and not yet published; `oldest_seconds` is the age of the oldest."""
    totals = (await desk.life.status()).get("outbox", {})
    rows, following = await replay.page(desk.db, {"sent": False}, cursor, limit)
    items = [
        {
            "id": row["_id"],
            "type": row["type"],
            "key": row["key"],
            "seq": row["seq"],
            "at": row["at"],
        }
        for row in rows
    ]
    return {
        "service": desk.service,
        "topic": desk.life.relay.topic,
        **totals,
        "items": items,
        "next_cursor": following,
    }


async def replay_events(body: ReplayRange, desk: At) -> Body:
    """Publish a page of archived events again, with their ids: readers drop what they know. A dry run names them instead; `total` stands on the first page."""
    where = body.where(desk.life.engine.clock())
    total = None if body.cursor else await desk.db.count("outbox", where)
    rows, following = await replay.page(desk.db, where, body.cursor, replay.PAGE)
    topic = desk.life.relay.topic
    told = {
        "topic": topic,
        "total": total,
        "published": 0,
        "events": [(row["_id"], row["type"]) for row in rows],
        "next_cursor": following,
    }
    if body.dry_run or not rows:
        return told

    async def note_replay(tx: Transaction) -> None:
        tx.note(
            "events.replayed",
            topic,
            since=body.since,
            until=body.until,
            key=body.key,
            events=len(rows),
        )

    await desk.run(note_replay)
    await replay.publish(desk.life.new_producer(), topic, rows, desk.service)
    return told | {"published": len(rows)}


async def event_statuses(body: EventStatusQuery, desk: At) -> Body:
    """What this reader did with these events, counted: done, parked, early, discarded; new = would take effect, unread = of no type that is read here."""
    read = [
        id_
        for id_, type_ in body.events
        if not desk.inbox.receive(
            Record(body.topic, 0, 0, b"-", b"", (("ce_type", type_.encode()),), 0)
        ).is_ignored
    ]
    states = {
        row["_id"]: row["state"]
        for row in await desk.db.find("inbox", {"_id": {"$in": read}}, fields={"state": 1})
    }
    counts = Counter(states.get(id_, "new") for id_ in read)
    return {name: counts[name] for name in ("done", "parked", "early", "discarded", "new")} | {
        "unread": len(body.events) - len(read)
    }


async def followed_topic(desk: At) -> Body:
    """The topic of this service, for an operator who is about to look into it: that is noted."""

    async def note_look(tx: Transaction) -> None:
        tx.note("events.followed", desk.life.relay.topic)

    await desk.run(note_look)
    return {"topic": desk.life.relay.topic}


_Routes = tuple[tuple[str, str, Callable[..., Awaitable[Body]]], ...]
_ROUTES: _Routes = (
    ("GET", "/parked", parked_sequences),
    ("GET", "/parked/{sequence}", parked_sequence),
    ("POST", "/parked/{sequence}/retry", retry_parked),
    ("POST", "/parked/{sequence}/discard", discard_parked),
    ("GET", "/lag", consumer_lag),
    ("GET", "/outbox", outbox_rows),
    ("GET", "/topic", followed_topic),
    ("POST", "/replay", replay_events),
    ("POST", "/event-status", event_statuses),
)


def router(service: str) -> APIRouter:
    """The operators' routes of one service; its name stands in the paths, so that the gateway knows whom to ask."""
    made = APIRouter(prefix=f"/v1/operations/{service}")
    for method, path, endpoint in _ROUTES:
        made.add_api_route(path, endpoint, methods=[method])
    return made
