"""Rules of credentials: users of the gateway that read for a consumer.

One person proposes to attach or to detach a credential. Another person agrees, who does not look
after that user: who sets a user's secrets decides who signs in as the user.
Not here: which grants a credential gets (grants).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.caller import Actor, Caller
from chassis.errors import Conflict, Forbidden, NotFound, Refused
from services.manpower.agencies.rules import ApprovedByRequester, Status
from services.manpower.consumers.rules import Consumer, ConsumerMoveRefused
from services.manpower.settings import TEXTS
from services.manpower.visibility.rules import OUTSIDE_ROLES

MAX_VALIDITY = timedelta(days=731)
OFFICE_HOME = ""
"""The home of users of offices and employers; any other home is a prison."""


class CredentialUnknown(NotFound):
    """No such credential for this caller."""


class CredentialUserUnknown(Refused):
    """The gateway has no user and no system of this id."""

    title = TEXTS["errors.credential_user_unknown"]
    field = "credential_ref"


class CredentialOfPrison(Refused):
    """The user's home is a prison, whose administrators set its secrets."""

    title = TEXTS["errors.credential_of_prison"]
    field = "credential_ref"


class CredentialPeriodRefused(Refused):
    """The last moment is over, or later than MAX_VALIDITY from now."""

    title = TEXTS["errors.credential_period_refused"]
    field = "valid_until"


class CredentialTaken(Conflict):
    """The consumer has this credential already, or a proposal of it."""

    title = TEXTS["errors.credential_taken"]
    field = "credential_ref"


class CredentialMoveRefused(Conflict):
    """The state of the credential does not allow this step."""

    title = TEXTS["errors.credential_move_refused"]


class ApproverLooksAfterUser(Forbidden):
    """The approver administers the user, so the two persons could be one."""

    title = TEXTS["errors.approver_looks_after_user"]


class CredentialState(StrEnum):
    """The state of a credential. It has grants while it is approved, also while detaching."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DETACHING = "detaching"
    ENDED = "ended"


ATTACHED_STATES = frozenset({CredentialState.APPROVED, CredentialState.DETACHING})


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialUser:
    """A user of the gateway, and the homes whose administrators manage it."""

    user_id: str
    homes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialStep:
    """One step; it is kept permanently."""

    at: datetime
    to: CredentialState
    by: str
    on_behalf_of: str = ""
    reason: str = ""

    @property
    def actor(self) -> Actor:
        """The actor who took the step."""
        return Actor(self.by, self.on_behalf_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user of the gateway that reads for a consumer until `valid_until`.

    `credential_ref` is what the proposer typed: the id of the user or of its system. `live` repeats
    what the state says, for the unique index. `owner` is that of the consumer.
    """

    id: str
    version: int = 0
    consumer_id: str
    agency_id: str
    owner: str
    user_id: str
    credential_ref: str
    valid_until: datetime
    state: CredentialState = CredentialState.PROPOSED
    live: bool = True
    steps: tuple[CredentialStep, ...]

    @property
    def proposer(self) -> Actor:
        """The actor of the last step, who proposed what waits."""
        return self.steps[-1].actor

    def is_attached(self, now: datetime) -> bool:
        """Return whether the credential reads for its consumer at this moment."""
        return self.state in ATTACHED_STATES and now < self.valid_until


def looks_after(caller: Caller, homes: Collection[str]) -> bool:
    """Return whether the caller administers a user of these homes."""
    return caller.role == "administrator" and any(caller.sees("facility", home) for home in homes)


def require_user(user: CredentialUser | None) -> CredentialUser:
    """Return the user. Raises CredentialUserUnknown when the gateway has none."""
    if user is None:
        raise CredentialUserUnknown
    return user


def require_not_taken(equals: Collection[Credential]) -> None:
    """Raise CredentialTaken when the consumer has a live credential of the same user."""
    if equals:
        raise CredentialTaken


def propose(
    credential_id: str,
    credential_ref: str,
    user: CredentialUser,
    consumer: Consumer,
    valid_until: datetime,
    actor: Actor,
    now: datetime,
) -> Credential:
    """Return the proposal to attach a user to a consumer.

    Raises ConsumerMoveRefused for a closed consumer, CredentialOfPrison, CredentialPeriodRefused.
    """
    if consumer.status is Status.CLOSED:
        raise ConsumerMoveRefused(status_now=consumer.status.value)
    _require_office_user(user, consumer)
    _require_period(valid_until, now)
    step = _step(CredentialState.PROPOSED, actor, now)
    return Credential(
        id=credential_id,
        consumer_id=consumer.id,
        agency_id=consumer.agency_id,
        owner=consumer.owner,
        user_id=user.user_id,
        credential_ref=credential_ref,
        valid_until=valid_until,
        steps=(step,),
    )


def approve(
    credential: Credential,
    user: CredentialUser,
    consumer: Consumer,
    approver: Caller,
    now: datetime,
) -> Credential:
    """Return the credential attached or detached, as was proposed.

    Raises CredentialMoveRefused when nothing waits, ApprovedByRequester, ApproverLooksAfterUser,
    and for an attachment what `propose` raises.
    """
    if credential.state not in {CredentialState.PROPOSED, CredentialState.DETACHING}:
        raise CredentialMoveRefused(state_now=credential.state.value)
    if approver.actor.conflicts_with(credential.proposer):
        raise ApprovedByRequester
    if looks_after(approver, user.homes):
        raise ApproverLooksAfterUser
    if credential.state is CredentialState.DETACHING:
        return _take_step(credential, _step(CredentialState.ENDED, approver.actor, now))
    if consumer.status is Status.CLOSED:
        raise ConsumerMoveRefused(status_now=consumer.status.value)
    _require_office_user(user, consumer)
    _require_period(credential.valid_until, now)
    return _take_step(credential, _step(CredentialState.APPROVED, approver.actor, now))


def propose_detachment(
    credential: Credential, actor: Actor, now: datetime, reason: str
) -> Credential:
    """Return the credential with the proposal to detach it. Raises CredentialMoveRefused."""
    if credential.state is not CredentialState.APPROVED:
        raise CredentialMoveRefused(state_now=credential.state.value)
    return _take_step(credential, _step(CredentialState.DETACHING, actor, now, reason))


def return_proposal(credential: Credential, actor: Actor, now: datetime, reason: str) -> Credential:
    """Return the credential as it was before the proposal. Raises CredentialMoveRefused."""
    if credential.state is CredentialState.PROPOSED:
        return _take_step(credential, _step(CredentialState.ENDED, actor, now, reason))
    if credential.state is CredentialState.DETACHING:
        return _take_step(credential, _step(CredentialState.APPROVED, actor, now, reason))
    raise CredentialMoveRefused(state_now=credential.state.value)


def _require_office_user(user: CredentialUser, consumer: Consumer) -> None:
    is_for_office = any(grant.role in OUTSIDE_ROLES for grant in consumer.grants)
    if is_for_office and OFFICE_HOME not in user.homes:
        raise CredentialOfPrison


def _require_period(valid_until: datetime, now: datetime) -> None:
    if not now < valid_until <= now + MAX_VALIDITY:
        raise CredentialPeriodRefused(max_days=MAX_VALIDITY.days)


def _step(to: CredentialState, actor: Actor, now: datetime, reason: str = "") -> CredentialStep:
    return CredentialStep(
        at=now, to=to, by=actor.by, on_behalf_of=actor.on_behalf_of, reason=reason
    )


def _take_step(credential: Credential, step: CredentialStep) -> Credential:
    is_live = step.to is not CredentialState.ENDED
    return replace(credential, state=step.to, live=is_live, steps=(*credential.steps, step))
