"""Rules of consumers: approval by a second person, grants within the agency, credentials."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.caller import Actor
from services.manpower.agencies.rules import (
    STATUS_TRANSITIONS,
    AgencyKind,
    AgencyNotActive,
    ApprovedByRequester,
    Status,
)
from services.manpower.consumers import rules
from services.manpower.consumers.rules import (
    Consumer,
    ConsumerKind,
    ConsumerMoveRefused,
    Grant,
    GrantRefused,
)
from tests.fakes import not_four_eyes
from tests.manpower import factories

REQUESTER = Actor("user-1", "official-1")
APPROVER = Actor("user-2", "official-2")


def grant(**changed: object) -> Grant:
    values = {
        "role": "dinas_placement",
        "regency_codes": frozenset({factories.BELITUNG}),
        "valid_from": factories.NOW,
        "valid_until": factories.NOW + timedelta(days=90),
    } | changed
    return Grant(**values)  # pyright: ignore[reportArgumentType]  # a builder's values are untyped


def consumer(*grants: Grant) -> Consumer:
    return Consumer(
        id="consumer-1",
        owner="",
        agency_id="dinas-belitung",
        kind=ConsumerKind.SYSTEM,
        title="Sistem contoh",
        purpose="umpan",
        legal_basis="surat contoh 2",
        grants=grants,
        requested_by="user-1",
    )


def pending_consumer(*grants: Grant) -> Consumer:
    return rules.request(consumer(*grants), factories.agency(), REQUESTER, factories.NOW)


def test_only_another_person_may_approve_a_requested_consumer() -> None:
    pending = pending_consumer(grant())
    for actor in not_four_eyes(*REQUESTER):
        with pytest.raises(ApprovedByRequester):
            rules.change_status(pending, Status.ACTIVE, actor, factories.NOW)
    approved = rules.change_status(pending, Status.ACTIVE, APPROVER, factories.NOW)
    assert (approved.status, approved.owner) == (Status.ACTIVE, factories.FACILITY)


@for_all(steps=st.lists(st.sampled_from(Status), max_size=8))
def test_a_consumer_moves_only_along_the_table_and_keeps_every_step(steps: list[Status]) -> None:
    reader = pending_consumer()
    for to in steps:
        if to in STATUS_TRANSITIONS[reader.status]:
            reader = rules.change_status(reader, to, APPROVER, factories.NOW)
            continue
        with pytest.raises(ConsumerMoveRefused):
            rules.change_status(reader, to, APPROVER, factories.NOW)
    path = [change.to for change in reader.history]
    assert path[0] is Status.PENDING
    assert path[-1] is reader.status
    assert all(after in STATUS_TRANSITIONS[before] for before, after in pairwise(path))


@pytest.mark.parametrize(
    "excessive",
    [
        grant(role="employer"),
        grant(regency_codes=frozenset[str]()),
        grant(regency_codes=frozenset({factories.BELITUNG, factories.BELITUNG_TIMUR})),
        grant(valid_until=factories.NOW),
        grant(valid_from=factories.NOW + timedelta(days=100)),
    ],
)
def test_a_grant_beyond_its_agency_is_refused(excessive: Grant) -> None:
    with pytest.raises(GrantRefused):
        pending_consumer(excessive)


def test_an_agency_that_is_not_active_gets_no_consumer() -> None:
    pending_agency = factories.agency(status=Status.PENDING)
    with pytest.raises(AgencyNotActive):
        rules.request(consumer(grant()), pending_agency, REQUESTER, factories.NOW)


def test_every_kind_of_agency_has_its_roles() -> None:
    assert rules.ROLES_BY_AGENCY_KIND.keys() == set(AgencyKind)
