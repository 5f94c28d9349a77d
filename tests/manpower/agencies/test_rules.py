"""Rules of agencies: approval by a second person, the table of statuses, the routing table."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.caller import Actor
from services.manpower.agencies import rules
from services.manpower.agencies.rules import (
    AgencyMoveRefused,
    AgencyNotActive,
    ApprovedByRequester,
    ConsumerSuspended,
    NibMissing,
    RegencyNotServed,
    Status,
    Topic,
)
from tests.fakes import not_four_eyes
from tests.manpower import factories

REQUESTER = Actor("user-1", "official-1")
APPROVER = Actor("user-2", "official-2")


@dataclass(frozen=True)
class ReaderWithStatus:
    """An agency or consumer for which a caller reads."""

    status: Status


def test_only_another_person_may_approve_a_registered_agency() -> None:
    pending = rules.register(factories.agency(), REQUESTER, factories.NOW)
    for actor in not_four_eyes(*REQUESTER):
        with pytest.raises(ApprovedByRequester):
            rules.change_status(pending, Status.ACTIVE, actor, factories.NOW)
    assert rules.change_status(pending, Status.ACTIVE, APPROVER, factories.NOW).is_active


@for_all(steps=st.lists(st.sampled_from(Status), max_size=8))
def test_an_agency_moves_only_along_the_table_and_keeps_every_step(steps: list[Status]) -> None:
    agency = rules.register(factories.agency(), REQUESTER, factories.NOW)
    for to in steps:
        if to in rules.STATUS_TRANSITIONS[agency.status]:
            agency = rules.change_status(agency, to, APPROVER, factories.NOW)
            continue
        with pytest.raises(AgencyMoveRefused):
            rules.change_status(agency, to, APPROVER, factories.NOW)
    path = [change.to for change in agency.history]
    assert path[0] is Status.PENDING
    assert path[-1] is agency.status
    assert all(after in rules.STATUS_TRANSITIONS[before] for before, after in pairwise(path))


def test_an_employer_without_a_business_number_is_refused() -> None:
    with pytest.raises(NibMissing):
        rules.register(factories.employer(nib=None), REQUESTER, factories.NOW)


@pytest.mark.scenario("P18/employer-name")
@pytest.mark.parametrize("name", ["Usaha Contoh", " usaha  contoh ", "USAHA\tCONTOH"])
def test_names_that_differ_in_case_and_spaces_are_one_name(name: str) -> None:
    assert rules.name_key(name) == "usaha contoh"


def test_a_route_names_only_an_active_agency_that_serves_the_regency() -> None:
    agency = factories.agency()
    with pytest.raises(RegencyNotServed):
        rules.assign_route(None, factories.BELITUNG_TIMUR, Topic.PLACEMENT, agency, factories.NOW)
    suspended = factories.agency(status=Status.SUSPENDED)
    with pytest.raises(AgencyNotActive):
        rules.assign_route(None, factories.BELITUNG, Topic.PLACEMENT, suspended, factories.NOW)


def test_a_new_route_keeps_who_answered_before() -> None:
    regency = factories.BELITUNG
    former = factories.agency()
    first = rules.assign_route(None, regency, Topic.PLACEMENT, former, factories.NOW)
    later = factories.NOW + timedelta(days=1)
    successor = factories.agency(id="dinas-baru")
    second = rules.assign_route(first, regency, Topic.PLACEMENT, successor, later)
    assert (second.agency_id, second.since) == ("dinas-baru", later)
    assert [(route.agency_id, route.until) for route in second.former] == [
        ("dinas-belitung", later)
    ]


@pytest.mark.parametrize(
    ("regency", "end"),
    [
        ("19.02", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("64.71", datetime(2026, 12, 31, 16, tzinfo=UTC)),
        ("94.71", datetime(2026, 12, 31, 15, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_midnight_where_the_regency_lies(regency: str, end: datetime) -> None:
    assert rules.end_of_day(date(2026, 12, 31), regency) == end


def test_a_suspended_consumer_may_not_read() -> None:
    active = ReaderWithStatus(Status.ACTIVE)
    rules.require_not_suspended([active])
    with pytest.raises(ConsumerSuspended):
        rules.require_not_suspended([active, ReaderWithStatus(Status.SUSPENDED)])


def test_a_caller_without_consumer_is_judged_by_its_claims_alone() -> None:
    rules.require_not_suspended([])
