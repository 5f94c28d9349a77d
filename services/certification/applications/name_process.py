"""The request to training for a candidate's name, between two transactions.

Not here: what may be done with the name (rules, usecases).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from chassis.http.service_client import ServiceClient
from chassis.persistence.transactions import Runner
from services.certification.applications import rules, usecases
from services.certification.applications.rules import Application
from services.certification.transaction import Transaction

PURPOSE = "print-certificate"


async def fetch_name(
    application_id: str, version: int, training: ServiceClient, run: Runner[Transaction]
) -> Application:
    """Request the name on the identity card and store it encrypted, not confirmed yet.

    The request is audited before it is sent. Raises NameUnfit, VersionDiffers, and PersonUnknown
    when training knows nobody, which is audited too.
    """
    participant_ref = await run(partial(usecases.read_participant_ref, application_id, version))
    answer = await training.request(
        "POST",
        "/internal/identities",
        purpose=PURPOSE,
        on_behalf_of=run.cause.caller.subject,
        body={"refs": [participant_ref]},
    )
    people: list[dict[str, Any]] = answer["items"]
    found: str | None = people[0]["name"] if people else None
    if found is None:
        await run(partial(usecases.note_name_unavailable, application_id))
    name = rules.require_known_name(found)
    return await run(partial(usecases.propose_name, application_id, name, version))
