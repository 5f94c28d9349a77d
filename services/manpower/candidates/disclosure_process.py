"""The disclosure of a candidate; its name comes from training between two transactions.

Not here: who may see which column (visibility).
"""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel

from chassis.caller import Caller
from chassis.http.service_client import ServiceClient
from services.manpower.agencies.usecases import with_access_check
from services.manpower.candidates import usecases
from services.manpower.candidates.rules import CandidateUnknown
from services.manpower.candidates.usecases import CandidateView
from services.manpower.transaction import Run
from services.manpower.visibility.rules import Purpose

IDENTITY_PURPOSES = {
    Purpose.DINAS_REGISTRATION: "refer-candidate",
    Purpose.TRAINING_NOMINATION: "nominate-candidate",
    Purpose.EMPLOYER_SHARE: "refer-candidate",
    Purpose.TKM_APPLICATION: "refer-candidate",
    Purpose.FOLLOW_UP_CONTACT: "confirm-placement",
}
"""The purpose of the identity query, by the purpose of the consent."""


class IdentityItem(BaseModel):
    """An item of training's response; birth date and sex are not read."""

    participant_ref: str
    name: str


class IdentityAnswer(BaseModel):
    """Training's response to the identity query."""

    items: list[IdentityItem]


async def disclose_candidate(
    candidate_id: str, training: ServiceClient, caller: Caller, run: Run
) -> CandidateView:
    """Return what the caller may see of a candidate, with the name if the consent covers it.

    The second transaction reads the consent again and audits the disclosure, so that a consent that
    was withdrawn meanwhile discloses nothing.
    Raises CandidateUnknown, ConsumerSuspended, ServiceUnavailable.
    """
    view = await run(with_access_check(partial(usecases.find_candidate, candidate_id)))
    name = None
    if view.share is not None and view.covers_name:
        name = await _fetch_name(training, view.candidate.id, view.share.purpose, caller.subject)
    command = partial(usecases.show_candidate, candidate_id, name)
    return await run(with_access_check(command))


async def _fetch_name(
    training: ServiceClient, ref: str, purpose: Purpose, on_behalf_of: str
) -> str:
    answer = await training.request(
        "POST",
        "/internal/identities",
        purpose=IDENTITY_PURPOSES[purpose],
        on_behalf_of=on_behalf_of,
        body={"refs": [ref]},
    )
    for item in IdentityAnswer.model_validate(answer).items:
        if item.participant_ref == ref:
            return item.name
    raise CandidateUnknown
