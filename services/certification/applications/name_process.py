"""The requests to training for candidates' names, between or after transactions.

Not here: what may be done with the name (rules, usecases).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from chassis.http.service_client import ServiceClient
from chassis.persistence.transactions import Runner
from services.certification.applications import rules, usecases
from services.certification.applications.candidate_names import CandidateName, add_name
from services.certification.applications.rules import Application
from services.certification.transaction import Transaction

PURPOSE = "print-certificate"
ASSESSMENT_PURPOSE = "assess-candidate"


async def fetch_name(
    application_id: str, version: int, training: ServiceClient, run: Runner[Transaction]
) -> Application:
    """Request the name on the identity card and store it encrypted, not confirmed yet.

    The request is audited before it is sent. Raises NameUnfit, VersionDiffers, and PersonUnknown
    when training knows nobody, which is audited too.
    """
    participant_ref = await run(partial(usecases.read_participant_ref, application_id, version))
    names = await _request_names([participant_ref], PURPOSE, training, run)
    found = names.get(participant_ref)
    if found is None:
        await run(partial(usecases.note_name_unavailable, application_id))
    name = rules.require_known_name(found)
    return await run(partial(usecases.propose_name, application_id, name, version))


async def show_candidate_names(
    application_ids: Sequence[str], training: ServiceClient, run: Runner[Transaction]
) -> list[CandidateName]:
    """Return the names of candidates for the day of their assessment; none is stored.

    The read is audited with its purpose before the request is sent.
    """
    select = partial(usecases.select_candidates_to_name, application_ids, ASSESSMENT_PURPOSE)
    lines = await run(select)
    refs = sorted({line.participant_ref for line in lines if line.participant_ref})
    names = await _request_names(refs, ASSESSMENT_PURPOSE, training, run) if refs else {}
    return [add_name(line, names.get(line.participant_ref)) for line in lines]


async def _request_names(
    refs: Sequence[str], purpose: str, training: ServiceClient, run: Runner[Transaction]
) -> dict[str, str]:
    answer = await training.request(
        "POST",
        "/internal/identities",
        purpose=purpose,
        on_behalf_of=run.cause.caller.subject,
        body={"refs": list(refs)},
    )
    people: list[dict[str, Any]] = answer["items"]
    return {person["participant_ref"]: person["name"] for person in people}
