"""Reads the anchors of audit blocks from the topics and from each service's archive.

Not here: the comparison with the seals (chassis.admin.audit_export.verification).
"""

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
    """Return each service's anchors by block, from its topic, which keeps 30 days."""
    service_of_type = {anchor_type(service).type.encode(): service for service in services}
    anchors: dict[str, dict[int, Anchor]] = {service: {} for service in service_of_type.values()}
    async with open_topics(*(f"{service}.events" for service in anchors)) as topics:
        async for records in topics.read_to_end():
            for record in records:
                service = service_of_type.get(dict(record.headers).get("ce_type", b""))
                if service is not None and record.topic == f"{service}.events":
                    block, anchor = parse_anchor(record.value or b"{}")
                    anchors[service][block] = anchor
    return anchors


async def read_from_archive(db: Mongo, service: str) -> dict[int, Anchor]:
    """Return the service's anchors by block, from its own archive."""
    anchors: dict[int, Anchor] = {}
    async for page in read_archived_anchors(db, service, 1, sys.maxsize):
        anchors |= page
    return anchors


@asynccontextmanager
async def open_database(service: str) -> AsyncGenerator[Mongo]:
    """Yield the database of a service, connected as the administrator of MongoDB."""
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
    """Return the HMAC key with which a service seals its blocks."""
    file = state_dir.path() / "secrets" / service / f"{service}_audit_key"
    return bytes.fromhex(file.read_text())
