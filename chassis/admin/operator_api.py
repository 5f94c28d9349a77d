"""Routes for operators of one service: parked sequences, lag, outbox, replay, rebuild.

Not here: the operations themselves (parked_event_admin, replay, projections), which role may call
them (gateway).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import telemetry
from chassis.admin import replay
from chassis.admin.parked_event_admin import (
    Body,
    ParkedEventAdmin,
    decode_segment,
)
from chassis.admin.parked_reasons import explain
from chassis.admin.projections import Projection, ProjectionUnknown, Rebuild, rebuild_engine
from chassis.admin.replay import ReplayRange
from chassis.http import dependencies
from chassis.messaging.parked_events import ParkedUnknown
from chassis.messaging.received_events import other_row_id
from chassis.persistence.mongo import Document
from chassis.persistence.transactions import Runner
from chassis.persistence.unit_of_work import Transaction

PARKED_LIST = "parked"
UNSENT_LIST = "outbox/unsent"
REPLAY_LIST = "outbox/replay"
# With a bound, pydantic also refuses lone surrogates, which cannot be encoded as UTF-8.
Name = Annotated[str, Field(max_length=1_000)]


class Discard(BaseModel):
    """The parked event to discard for good, and the reason."""

    model_config = ConfigDict(extra="forbid")
    event_id: Name
    reason: str = Field(max_length=500)


class EventStatusQuery(BaseModel):
    """A question to a consumer: what became of these events of a topic, given as (id, type)."""

    model_config = ConfigDict(extra="forbid")
    topic: Name
    events: list[tuple[Name, Name]] = Field(max_length=replay.PAGE)


class RebuildStep(BaseModel):
    """The request for the next page of a rebuild; without a cursor a new rebuild begins."""

    model_config = ConfigDict(extra="forbid")
    cursor: str | None = Field(None, max_length=2_000)


async def _create_admin(
    request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
) -> ParkedEventAdmin:
    run = await dependencies.runner(request, idempotency_key)
    return ParkedEventAdmin(request.app.state.life, run)


Admin = Annotated[ParkedEventAdmin, Depends(_create_admin)]


async def parked_sequences(
    admin: Admin, cursor: str | None = None, limit: dependencies.Limit = 50
) -> Body:
    """List the parked sequences: what failed, and what to do."""
    cursors = admin.life.cursors
    after = "" if cursor is None else str(cursors.verify(cursor, PARKED_LIST)[0])

    async def list_parked(tx: Transaction) -> list[Document]:
        heads = await admin.sequences(tx, after=after, limit=limit + 1)
        ids = [head["_id"] for head in heads[:limit]]
        tx.note("parked.listed", admin.service, sequences=ids)
        return heads

    heads: list[Document] = await admin.run(list_parked)
    has_more = len(heads) > limit
    return {
        "items": await admin.describe(heads[:limit]),
        "next_cursor": cursors.sign(PARKED_LIST, [heads[limit - 1]["_id"]]) if has_more else None,
    }


async def parked_sequence(
    sequence: str, admin: Admin, response: Response, limit: dependencies.Limit = 50
) -> Body:
    """Show one sequence with its first events; their bodies are redacted."""
    id_ = decode_segment(sequence, ParkedUnknown)
    head, events = await admin.run(partial(admin.open_sequence, id_, limit))
    response.headers["etag"] = f'"{head["version"]}"'
    [shown] = await admin.describe([head])
    shown["letters"] = [
        {
            "id": event.id,
            "type": event.type,
            "since": event.since,
            "time": event.time,
            "body": event.body,
            **explain(event.reason),
        }
        for event in events
    ]
    return shown


async def retry_parked(
    sequence: str, admin: Admin, version: dependencies.RequiredIfMatch, *, dry_run: bool = False
) -> Body:
    """Retry a sequence from its first event, at most 200 events.

    `took_effect` counts events; it is null if this request is a repeat. `more` is true if the
    request should be sent again at once.
    """
    return await admin.retry_sequence(sequence, version, dry_run=dry_run)


async def discard_parked(
    sequence: str,
    body: Discard,
    admin: Admin,
    version: dependencies.RequiredIfMatch,
    *,
    dry_run: bool = False,
) -> Body:
    """Discard one parked event for good; those behind it wait for a retry."""

    async def discard(tx: Transaction, id_: str) -> None:
        await admin.discard(tx, id_, body.event_id, body.reason)

    return await admin.act(sequence, version, discard, dry_run=dry_run)


async def consumer_lag(admin: Admin) -> Body:
    """Show the position of this consumer in each partition.

    `behind` is the number of unread events that the answering replica measured in the last 5 s. It
    is null where another replica reads the partition.
    """
    rows = await admin.db.find("offsets", {})
    stored = {tuple(row["_id"].split("/")[1:]): row for row in rows}
    lags: dict[tuple[str, ...], int] = {}
    for metric in telemetry.CONSUMER_LAG.collect():
        for sample in metric.samples:
            if sample.labels["topic"] in admin.inbox.topics:
                lags[sample.labels["topic"], sample.labels["partition"]] = int(sample.value)
    partitions: list[Body] = []
    for topic, number in sorted(stored.keys() | lags.keys(), key=lambda key: (key[0], int(key[1]))):
        row = stored.get((topic, number), {})
        partitions.append(
            {
                "topic": topic,
                "partition": int(number),
                "next": row.get("next"),
                "at": row.get("at"),
                "behind": lags.get((topic, number)),
            }
        )
    behind = sum(partition["behind"] or 0 for partition in partitions)
    return {"service": admin.service, "behind": behind, "partitions": partitions}


async def outbox_rows(
    admin: Admin, cursor: str | None = None, limit: dependencies.Limit = 50
) -> Body:
    """List the events not published yet; `oldest_seconds` is the age of the oldest."""
    totals = (await admin.life.status()).get("outbox", {})
    after = _position(admin, UNSENT_LIST, cursor)
    rows, following = await replay.page(admin.db, {"sent": False}, after, limit)
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
        "service": admin.service,
        "topic": admin.life.relay.topic,
        **totals,
        "items": items,
        "next_cursor": following and admin.life.cursors.sign(UNSENT_LIST, following),
    }


def _position(
    admin: ParkedEventAdmin, list_name: str, cursor: str | None, filters: object = None
) -> replay.Position | None:
    """Return the position in a cursor of outbox rows. Raises CursorInvalid."""
    if cursor is None:
        return None
    key, seq = admin.life.cursors.verify(cursor, list_name, filters=filters)
    return cast("replay.Position", (key, seq))


async def replay_events(body: ReplayRange, admin: Admin) -> Body:
    """Publish a page of archived events again under their ids; consumers drop duplicates.

    A dry run lists them instead. `total` is on the first page only.
    """
    where = body.where(admin.life.engine.clock())
    after = _position(admin, REPLAY_LIST, body.cursor, body.filters())
    total = None if after else await admin.db.count("outbox", where)
    rows, following = await replay.page(admin.db, where, after, replay.PAGE)
    topic = admin.life.relay.topic
    page: Body = {
        "topic": topic,
        "total": total,
        "published": 0,
        "events": [(row["_id"], row["type"]) for row in rows],
        "next_cursor": following
        and admin.life.cursors.sign(REPLAY_LIST, following, filters=body.filters()),
    }
    if body.dry_run or not rows:
        return page

    async def note_replay(tx: Transaction) -> None:
        tx.note(
            "events.replayed",
            topic,
            since=body.since,
            until=body.until,
            key=body.key,
            events=len(rows),
        )

    await admin.run(note_replay)
    await replay.publish(admin.life.new_producer(), topic, rows, admin.service)
    return page | {"published": len(rows)}


async def event_statuses(body: EventStatusQuery, admin: Admin) -> Body:
    """Count these events by their state at this consumer: done, parked, early, discarded.

    `new` events would take effect. `unread` events have a type that no handler here reads.
    """
    read = [id_ for id_, type_ in body.events if not admin.inbox.is_ignored(body.topic, type_)]
    owner = body.topic.removeprefix(admin.life.service.settings.namespace).partition(".")[0]
    source = f"bina/{owner}"
    ids = [*read, *(other_row_id(source, id_) for id_ in read)]
    rows = await admin.db.find("inbox", {"_id": {"$in": ids}}, fields={"state": 1, "source": 1})
    # A row without source is of an earlier version.
    states = {row["_id"]: row["state"] for row in rows if row.get("source", source) == source}
    counts = Counter(
        states.get(id_) or states.get(other_row_id(source, id_), "new") for id_ in read
    )
    statuses = {name: counts[name] for name in ("done", "parked", "early", "discarded", "new")}
    return statuses | {"unread": len(body.events) - len(read)}


async def followed_topic(admin: Admin) -> Body:
    """Return the topic of this service to an operator who will read it; the read is audited."""

    async def note_follow(tx: Transaction) -> None:
        tx.note("events.followed", admin.life.relay.topic)

    await admin.run(note_follow)
    return {"topic": admin.life.relay.topic}


async def _rebuild(projection: Projection, cursor: str | None, admin: ParkedEventAdmin) -> Body:
    """Begin or continue a rebuild; its beginning and its end are audited."""
    life = admin.life
    if cursor is None:
        rebuild = Rebuild(life, projection, life.engine.clock())

        async def note_begin(tx: Transaction) -> None:
            tx.note("projections.rebuild_started", projection.name)

        await admin.run(note_begin)
        await rebuild.begin()
    else:
        rebuild = Rebuild.of_cursor(life, projection, cursor)
    engine = rebuild_engine(life, projection, rebuild.collection)
    page = await rebuild.read_page(Runner(engine, admin.run.cause))
    if page.next_cursor is None:

        async def note_end(tx: Transaction) -> None:
            tx.note("projections.rebuilt", projection.name, documents=page.documents)

        await Runner(life.engine, admin.run.cause)(note_end)
    return {"projection": projection.name, **asdict(page)}


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


def router(service: str, projections: Iterable[Projection] = ()) -> APIRouter:
    """Return the operators' routes of one service, whose name is part of the paths."""
    projections_by_name = {projection.name: projection for projection in projections}

    async def rebuild_projection(projection: str, body: RebuildStep, admin: Admin) -> Body:
        """Rebuild a projection from the archive, one page a request, beside the live one.

        Repeat with `next_cursor` until it is null. The projection is then swapped, and `documents`
        is its size.
        """
        known = projections_by_name.get(projection)
        if known is None:
            raise ProjectionUnknown
        return await _rebuild(known, body.cursor, admin)

    operators = APIRouter(prefix=f"/v1/operations/{service}")
    for method, path, endpoint in _ROUTES:
        operators.add_api_route(path, endpoint, methods=[method])
    operators.add_api_route(
        "/projections/{projection}/rebuild", rebuild_projection, methods=["POST"]
    )
    return operators
