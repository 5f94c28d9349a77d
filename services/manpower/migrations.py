"""Migrations of manpower's stored documents.

Not here: how they run (chassis.app.migrations).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from chassis.app.migrations import PAGE_DOCUMENTS, Migration, add_fields, upgrade_documents
from chassis.caller import EVERYTHING
from chassis.ids import named_id, utc_now
from chassis.persistence.mongo import Document, Mongo, replacing
from services.manpower.agencies.store import Agencies
from services.manpower.consumers.store import Consumers
from services.manpower.credentials.rules import Credential, CredentialState, CredentialStep
from services.manpower.credentials.store import Credentials
from services.manpower.vacancies.store import Vacancies

PROPOSAL_VALIDITY = timedelta(days=90)


async def _propose_credentials(db: Mongo, after: str) -> str | None:
    """Make each credential of a consumer a proposal: nobody approved it as such.

    The person who requested the consumer counts as the proposer.
    """
    where = {"_id": {"$gt": after}, "credential_refs": {"$exists": True}}
    consumers = await db.find(Consumers.collection, where, sort=[("_id", 1)], limit=PAGE_DOCUMENTS)
    store = Credentials(tx=cast("Any", None))
    now = utc_now()
    proposals = [
        store.document(_proposal(consumer, reference, now))
        for consumer in consumers
        for reference in consumer["credential_refs"]
    ]
    if proposals:
        writes = [replacing(proposal, upsert=True) for proposal in proposals]
        await db.bulk(Credentials.collection, writes)
    return consumers[-1]["_id"] if consumers else None


def _proposal(consumer: Document, reference: str, now: datetime) -> Credential:
    step = CredentialStep(
        at=now,
        to=CredentialState.PROPOSED,
        by=consumer["requested_by"],
        on_behalf_of=consumer.get("requested_for", ""),
    )
    return Credential(
        id=named_id("credential", consumer["_id"], reference),
        version=1,
        consumer_id=consumer["_id"],
        agency_id=consumer["agency_id"],
        owner=EVERYTHING,
        user_id=reference,
        credential_ref=reference,
        valid_until=now + PROPOSAL_VALIDITY,
        steps=(step,),
    )


def _own_consumer(document: Document) -> Document:
    kept = {name: value for name, value in document.items() if name != "credential_refs"}
    return kept | {"owner": EVERYTHING}


MIGRATIONS = (
    # schema 2 names the official for whom a deputy acted; schema 3 has an owner: nobody recorded
    # whose an older document is, so it belongs above all facilities
    upgrade_documents(
        Agencies,
        {2: add_fields(registered_for=""), 3: add_fields(owner=EVERYTHING, proposal=None)},
    ),
    # before the credentials leave the consumers
    Migration("consumer-credentials", _propose_credentials),
    upgrade_documents(Consumers, {2: add_fields(requested_for=""), 3: _own_consumer}),
    upgrade_documents(Vacancies, {2: add_fields(owner=EVERYTHING)}),
)
