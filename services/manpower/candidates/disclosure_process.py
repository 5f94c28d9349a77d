"""The disclosure of candidates; their names come from training between two transactions.

Not here: who may see which column (visibility).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel

from chassis.caller import Caller
from chassis.http.service_client import ServiceClient
from services.manpower.agencies.usecases import with_access_check
from services.manpower.candidates import usecases
from services.manpower.candidates.rules import CandidateUnknown
from services.manpower.candidates.usecases import CandidateView, CandidateViewPage
from services.manpower.transaction import Run
from services.manpower.visibility.rules import Purpose, reader_of

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
    names = await fetch_names([view], training, caller)
    name = names.get(view.candidate.id)
    if view.covers_name and name is None:
        raise CandidateUnknown
    command = partial(usecases.show_candidate, candidate_id, name)
    return await run(with_access_check(command))


async def disclose_candidates(
    candidate_ids: Sequence[str], training: ServiceClient, caller: Caller, run: Run
) -> CandidateViewPage:
    """Return what the caller may see of these candidates, with all names by one query.

    Raises ConsumerSuspended, ServiceUnavailable.
    """
    views = await run(with_access_check(partial(usecases.find_candidates, candidate_ids)))
    names = await fetch_names(views, training, caller)
    command = partial(usecases.show_candidates, candidate_ids, names)
    return await run(with_access_check(command))


async def fetch_names(
    views: Sequence[CandidateView], training: ServiceClient, caller: Caller
) -> dict[str, str]:
    """Return the names that the consents cover, by person, with one query to training."""
    refs = [view.candidate.id for view in views if view.covers_name]
    reader = reader_of(caller)
    if not refs or reader is None:
        return {}
    answer = await training.request(
        "POST",
        "/internal/identities",
        purpose=IDENTITY_PURPOSES[reader.purpose],
        on_behalf_of=caller.subject,
        body={"refs": refs},
    )
    items = IdentityAnswer.model_validate(answer).items
    return {item.participant_ref: item.name for item in items}
