"""Rules of agencies: approval by a second person, the table of statuses, the routing table."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.caller import Actor
from services.manpower.agencies import local_days, routing_table, rules
from services.manpower.agencies.routing_table import AgencyRoute, RegencyNotServed, Topic
from services.manpower.agencies.rules import (
    Agency,
    AgencyKind,
    AgencyMoveRefused,
    AgencyNotActive,
    ApprovedByRequester,
    ConsumerSuspended,
    KanwilFromAbove,
    NibMissing,
    Status,
)
from tests.fakes import not_four_eyes
from tests.manpower import factories

REQUESTER = Actor("user-1", "official-1")
APPROVER = Actor("user-2", "official-2")


@dataclass(frozen=True)
class ReaderWithStatus:
    """An agency or consumer for which a caller reads."""

    status: Status


def restrict(agency: Agency, to: Status, actor: Actor, *, is_from_above: bool = False) -> Agency:
    return rules.restrict(agency, to, actor, factories.NOW, "coba", is_from_above=is_from_above)


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


def test_an_office_is_suspended_and_closed_by_two_persons() -> None:
    agency = factories.agency()
    for to in (Status.SUSPENDED, Status.CLOSED):
        proposed = restrict(agency, to, REQUESTER)
        assert proposed.status is agency.status
        for actor in not_four_eyes(*REQUESTER):
            assert restrict(proposed, to, actor).status is agency.status
            with pytest.raises(ApprovedByRequester):
                rules.approve(proposed, actor, factories.NOW)
        agency = rules.approve(proposed, APPROVER, factories.NOW)
        assert (agency.status, agency.proposal) == (to, None)
        assert agency.history[-1].proposed_by == REQUESTER.by


def test_the_same_step_by_a_second_person_accepts_the_first_ones_proposal() -> None:
    proposed = restrict(factories.agency(), Status.SUSPENDED, REQUESTER)
    assert restrict(proposed, Status.CLOSED, APPROVER).status is Status.ACTIVE
    assert restrict(proposed, Status.SUSPENDED, APPROVER).status is Status.SUSPENDED


def test_one_officer_above_all_facilities_suspends_an_office() -> None:
    suspended = restrict(factories.agency(), Status.SUSPENDED, REQUESTER, is_from_above=True)
    assert suspended.status is Status.SUSPENDED


def test_one_person_suspends_an_employer_and_closes_a_registration() -> None:
    assert restrict(factories.employer(), Status.SUSPENDED, REQUESTER).status is Status.SUSPENDED
    pending = rules.register(factories.agency(), REQUESTER, factories.NOW)
    assert restrict(pending, Status.CLOSED, REQUESTER).status is Status.CLOSED


def test_resuming_drops_a_proposal_and_approves_no_registration() -> None:
    proposed = restrict(factories.agency(), Status.CLOSED, REQUESTER)
    assert rules.resume(proposed, REQUESTER, factories.NOW).proposal is None
    pending = rules.register(factories.agency(), REQUESTER, factories.NOW)
    for agency in (pending, factories.agency()):
        with pytest.raises(AgencyMoveRefused):
            rules.resume(agency, APPROVER, factories.NOW)
    with pytest.raises(AgencyMoveRefused):
        rules.approve(factories.agency(), APPROVER, factories.NOW)


def test_only_an_officer_above_all_facilities_registers_the_kanwil() -> None:
    kanwil = factories.agency(kind=AgencyKind.KANWIL)
    with pytest.raises(KanwilFromAbove):
        rules.register(kanwil, REQUESTER, factories.NOW)
    assert rules.register(replace(kanwil, owner="*"), REQUESTER, factories.NOW)


@pytest.mark.scenario("P18/employer-name")
@pytest.mark.parametrize("name", ["Usaha Contoh", " usaha  contoh ", "USAHA\tCONTOH"])
def test_names_that_differ_in_case_and_spaces_are_one_name(name: str) -> None:
    assert rules.name_key(name) == "usaha contoh"


def assign_first(regency: str, agency: Agency) -> AgencyRoute:
    return routing_table.assign_route(None, regency, Topic.PLACEMENT, agency, factories.NOW)


def test_a_route_names_only_an_active_agency_that_serves_the_regency() -> None:
    agency = factories.agency()
    with pytest.raises(RegencyNotServed):
        assign_first(factories.BELITUNG_TIMUR, agency)
    suspended = factories.agency(status=Status.SUSPENDED)
    with pytest.raises(AgencyNotActive):
        assign_first(factories.BELITUNG, suspended)


def test_a_new_route_keeps_who_answered_before() -> None:
    regency = factories.BELITUNG
    former = factories.agency()
    first = routing_table.assign_route(None, regency, Topic.PLACEMENT, former, factories.NOW)
    later = factories.NOW + timedelta(days=1)
    successor = factories.agency(id="dinas-baru")
    second = routing_table.assign_route(first, regency, Topic.PLACEMENT, successor, later)
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
    assert local_days.end_of_day(date(2026, 12, 31), regency) == end


def test_a_suspended_consumer_may_not_read() -> None:
    active = ReaderWithStatus(Status.ACTIVE)
    rules.require_not_suspended([active])
    with pytest.raises(ConsumerSuspended):
        rules.require_not_suspended([active, ReaderWithStatus(Status.SUSPENDED)])


def test_a_caller_without_consumer_is_judged_by_its_claims_alone() -> None:
    rules.require_not_suspended([])
