"""Rules of credentials: two persons, neither of whom looks after the user."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chassis.caller import Caller
from services.manpower.agencies.rules import ApprovedByRequester, Status
from services.manpower.consumers.rules import Consumer, ConsumerMoveRefused
from services.manpower.credentials import rules
from services.manpower.credentials.rules import (
    ApproverLooksAfterUser,
    Credential,
    CredentialMoveRefused,
    CredentialOfPrison,
    CredentialPeriodRefused,
    CredentialState,
    CredentialUser,
)
from tests.fakes import not_four_eyes
from tests.manpower.consumers.test_rules import APPROVER, REQUESTER, grant, pending_consumer
from tests.manpower.factories import NOW

USER = CredentialUser(user_id="user-dinas", homes=frozenset({""}))
CONSUMER = pending_consumer(grant())
UNTIL = NOW + timedelta(days=90)


def caller(role: str = "head", facility: str = "LP-TJP", subject: str = "user-2") -> Caller:
    return Caller(subject=subject, role=role, claims={"facility": frozenset({facility})})


def proposed(
    *, user: CredentialUser = USER, consumer: Consumer = CONSUMER, until: datetime = UNTIL
) -> Credential:
    return rules.propose("c-1", "sistem-dinas", user, consumer, until, REQUESTER, NOW)


def approved() -> Credential:
    return rules.approve(proposed(), USER, CONSUMER, caller(), NOW)


def test_a_proposed_credential_reads_only_after_another_person_agreed() -> None:
    assert not proposed().is_attached(NOW)
    for actor in not_four_eyes(*REQUESTER):
        approver = replace(caller(subject=actor.by), on_behalf_of=actor.on_behalf_of)
        with pytest.raises(ApprovedByRequester):
            rules.approve(proposed(), USER, CONSUMER, approver, NOW)
    assert approved().is_attached(NOW)
    assert not approved().is_attached(UNTIL)


@pytest.mark.parametrize(
    ("facility", "homes"), [("*", {""}), ("*", {"", "LP-TJP"}), ("LP-TJP", {"", "LP-TJP"})]
)
def test_an_administrator_of_the_user_approves_nothing(facility: str, homes: set[str]) -> None:
    user = replace(USER, homes=frozenset(homes))
    administrator = caller("administrator", facility)
    detaching = rules.propose_detachment(approved(), REQUESTER, NOW, "rotasi")
    for credential in (proposed(user=user), detaching):
        with pytest.raises(ApproverLooksAfterUser):
            rules.approve(credential, user, CONSUMER, administrator, NOW)
    assert rules.approve(proposed(user=user), user, CONSUMER, caller("head", facility), NOW)


def test_an_administrator_of_a_prison_may_approve_an_offices_user() -> None:
    administrator = caller("administrator")
    assert rules.approve(proposed(), USER, CONSUMER, administrator, NOW).is_attached(NOW)


def test_a_prisons_user_cannot_read_for_an_office() -> None:
    user = replace(USER, homes=frozenset({"LP-EVIL"}))
    with pytest.raises(CredentialOfPrison):
        proposed(user=user)
    with pytest.raises(CredentialOfPrison):
        rules.approve(proposed(), user, CONSUMER, caller(), NOW)


def test_a_prisons_user_may_read_for_the_kanwil() -> None:
    user = replace(USER, homes=frozenset({"LP-TJP"}))
    consumer = replace(CONSUMER, grants=(grant(role="kanwil"),))
    assert proposed(user=user, consumer=consumer).state is CredentialState.PROPOSED


@pytest.mark.parametrize("until", [NOW, NOW + rules.MAX_VALIDITY + timedelta(seconds=1)])
def test_a_credential_ends_in_two_years_at_most(until: datetime) -> None:
    with pytest.raises(CredentialPeriodRefused):
        proposed(until=until)


def test_a_closed_consumer_gets_no_credential() -> None:
    closed = replace(CONSUMER, status=Status.CLOSED)
    with pytest.raises(ConsumerMoveRefused):
        proposed(consumer=closed)
    with pytest.raises(ConsumerMoveRefused):
        rules.approve(proposed(), USER, closed, caller(), NOW)


def test_a_credential_reads_on_until_another_person_agrees_to_detach_it() -> None:
    detaching = rules.propose_detachment(approved(), REQUESTER, NOW, "rotasi")
    assert detaching.is_attached(NOW)
    with pytest.raises(ApprovedByRequester):
        rules.approve(detaching, USER, CONSUMER, caller(subject=REQUESTER.by), NOW)
    ended = rules.approve(detaching, USER, CONSUMER, caller(), NOW)
    assert (ended.state, ended.live) == (CredentialState.ENDED, False)
    assert [step.to for step in ended.steps] == [
        CredentialState.PROPOSED,
        CredentialState.APPROVED,
        CredentialState.DETACHING,
        CredentialState.ENDED,
    ]


def test_a_returned_proposal_leaves_the_credential_as_it_was() -> None:
    returned = rules.return_proposal(proposed(), APPROVER, NOW, "keliru")
    assert (returned.state, returned.live) == (CredentialState.ENDED, False)
    detaching = rules.propose_detachment(approved(), REQUESTER, NOW, "rotasi")
    assert rules.return_proposal(detaching, APPROVER, NOW, "tetap").is_attached(NOW)


def test_a_step_that_the_state_does_not_allow_is_refused() -> None:
    ended = rules.return_proposal(proposed(), APPROVER, NOW, "keliru")
    with pytest.raises(CredentialMoveRefused):
        rules.approve(ended, USER, CONSUMER, caller(), NOW)
    with pytest.raises(CredentialMoveRefused):
        rules.approve(approved(), USER, CONSUMER, caller(), NOW)
    with pytest.raises(CredentialMoveRefused):
        rules.propose_detachment(proposed(), REQUESTER, NOW, "rotasi")
    with pytest.raises(CredentialMoveRefused):
        rules.return_proposal(approved(), REQUESTER, NOW, "keliru")
