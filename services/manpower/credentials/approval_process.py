"""The two steps that need the gateway's user, who is requested between two transactions.

Not here: who may propose and approve (rules).
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from pydantic import BaseModel

from chassis.http.service_client import ServiceClient, ServiceRefused
from services.manpower.credentials import usecases
from services.manpower.credentials.rules import Credential, CredentialUser
from services.manpower.credentials.usecases import CredentialTerms
from services.manpower.transaction import Run

PURPOSE = "manage-access"


class CredentialAnswer(BaseModel):
    """The gateway's response: the user, and the homes that manage it."""

    user_id: str
    homes: frozenset[str]


async def propose_credential(
    consumer_id: str, terms: CredentialTerms, gateway: ServiceClient, run: Run
) -> Credential:
    """Propose a user of the gateway as a credential of the consumer.

    Raises ServiceUnavailable, and what `usecases.propose_credential` raises.
    """
    await run(partial(usecases.get_own_consumer, consumer_id))
    user = await _find_user(terms.credential_ref, gateway, run)
    return await run(partial(usecases.propose_credential, consumer_id, terms, user))


async def approve_credential(
    credential_id: str, version: int, gateway: ServiceClient, run: Run
) -> Credential:
    """Agree to what was proposed; the user's homes are those of this moment.

    Raises ServiceUnavailable, and what `usecases.approve_credential` raises.
    """
    credential = await run(partial(usecases.get_own_credential, credential_id, version))
    user = await _find_user(credential.user_id, gateway, run)
    return await run(partial(usecases.approve_credential, credential_id, version, user))


async def _find_user(reference: str, gateway: ServiceClient, run: Run) -> CredentialUser | None:
    try:
        answer = await gateway.request(
            "GET",
            f"/internal/credentials/{reference}",
            purpose=PURPOSE,
            on_behalf_of=run.cause.caller.subject,
        )
    except ServiceRefused as error:
        if error.facts["peer_status"] != HTTPStatus.NOT_FOUND:
            raise
        return None
    found = CredentialAnswer.model_validate(answer)
    return CredentialUser(user_id=found.user_id, homes=found.homes)
