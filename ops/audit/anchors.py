"""The anchors of blocks: as the topics have them, and as each service's own archive has them. Not here: what they are compared with."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from chassis.admin.audit_export.anchors import Anchor, parse_anchor, read_archived_anchors
from chassis.jobs.audit_sealer import anchor_type
from chassis.persistence.mongo import Mongo
from ops.events.topic_reader import open_topics
from ops.local import mongo_users, platform_checks, secrets, state_dir, topology


async def read_from_topics(services: Iterable[str]) -> dict[str, dict[int, Anchor]]:
    """Each service's blocks as its topic has them, for the 30 days that it reaches back."""
    kinds = {anchor_type(service).type.encode(): service for service in services}
    found: dict[str, dict[int, Anchor]] = {service: {} for service in kinds.values()}
    async with open_topics(*(f"{service}.events" for service in found)) as topics:
        async for records in topics.read_to_end():
            for record in records:
                service = kinds.get(dict(record.headers).get("ce_type", b""))
                if service is not None and record.topic == f"{service}.events":
                    found[service] |= dict([parse_anchor(record.value or b"{}")])
    return found


async def read_from_archive(db: Mongo, service: str) -> dict[int, Anchor]:
    """The service's blocks as its own archive has them."""
    found: dict[int, Anchor] = {}
    async for page in read_archived_anchors(db, service, 1, sys.maxsize):
        found |= page
    return found


@asynccontextmanager
async def open_database(service: str) -> AsyncGenerator[Mongo]:
    """The database of a part, as its administrator sees it."""
    address = f"{platform_checks.LOOPBACK}:{topology.MONGOD.port}"
    url = os.environ.get("BINA_MONGO_URL") or mongo_users.administrator_url(
        address, secrets.administrator_password(state_dir.path() / "secrets")
    )
    db = Mongo(url, service, "pymongo", app="bina-ops")
    try:
        yield db
    finally:
        await db.close()


def read_audit_key(service: str) -> bytes:
    """The key of a service's digests."""
    return bytes.fromhex(
        (state_dir.path() / "secrets" / service / f"{service}_audit_key").read_text()
    )
