"""Agencies and consumers: two persons admit one, statuses follow their table, the routing table names who answers."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.caller import Actor
from services.manpower.agencies import rules
from services.manpower.agencies.rules import (
    AgencyKind,
    AgencyMoveRefused,
    AgencyNotActive,
    ApprovedByRequester,
    NibMissing,
    RegencyNotServed,
    Status,
    Topic,
)
from services.manpower.consumers import rules as consumers
from services.manpower.consumers.rules import (
    Consumer,
    ConsumerKind,
    ConsumerMoveRefused,
    ConsumerSuspended,
    Grant,
    GrantRefused,
)
from tests.fakes import not_four_eyes
from tests.manpower import factories

ONE, OTHER = Actor("user-1", "official-1"), Actor("user-2", "official-2")


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
        agency_id="dinas-belitung",
        kind=ConsumerKind.SYSTEM,
        title="Sistem contoh",
        purpose="umpan",
        legal_basis="surat contoh 2",
        grants=grants,
        requested_by="user-1",
    )


def test_who_registers_an_agency_may_not_approve_it_and_another_may() -> None:
    pending = rules.register(factories.agency(), ONE, factories.NOW)
    for hand in not_four_eyes(*ONE):
        with pytest.raises(ApprovedByRequester):
            rules.change_status(pending, Status.ACTIVE, hand, factories.NOW)
    assert rules.change_status(pending, Status.ACTIVE, OTHER, factories.NOW).is_active


def test_who_asks_for_a_consumer_may_not_approve_it_and_another_may() -> None:
    pending = consumers.request(consumer(grant()), factories.agency(), ONE, factories.NOW)
    for hand in not_four_eyes(*ONE):
        with pytest.raises(ApprovedByRequester):
            consumers.change_status(pending, Status.ACTIVE, hand, factories.NOW)
    assert (
        consumers.change_status(pending, Status.ACTIVE, OTHER, factories.NOW).status
        is Status.ACTIVE
    )


@for_all(steps=st.lists(st.sampled_from(Status), max_size=8))
def test_an_agency_and_a_consumer_move_only_along_the_table_and_every_step_is_kept(
    steps: list[Status],
) -> None:
    agency, reader = (
        rules.register(factories.agency(), ONE, factories.NOW),
        consumers.request(consumer(), factories.agency(), ONE, factories.NOW),
    )
    for to in steps:
        if to in rules.STATUS_TRANSITIONS[agency.status]:
            agency, reader = (
                rules.change_status(agency, to, OTHER, factories.NOW),
                consumers.change_status(reader, to, OTHER, factories.NOW),
            )
            continue
        with pytest.raises(AgencyMoveRefused):
            rules.change_status(agency, to, OTHER, factories.NOW)
        with pytest.raises(ConsumerMoveRefused):
            consumers.change_status(reader, to, OTHER, factories.NOW)
    path = [change.to for change in agency.history]
    assert path[0] is Status.PENDING
    assert all(after in rules.STATUS_TRANSITIONS[before] for before, after in pairwise(path))
    assert [change.to for change in reader.history] == path


def test_an_employer_without_a_business_number_is_refused() -> None:
    with pytest.raises(NibMissing):
        rules.register(factories.employer(nib=None), ONE, factories.NOW)


@pytest.mark.scenario("P18/employer-name")
@pytest.mark.parametrize("name", ["Usaha Contoh", " usaha  contoh ", "USAHA\tCONTOH"])
def test_names_that_differ_in_case_and_spaces_are_one_name(name: str) -> None:
    assert rules.name_key(name) == "usaha contoh"


def test_the_routing_table_names_only_an_active_agency_that_serves_the_regency() -> None:
    with pytest.raises(RegencyNotServed):
        rules.assign_route(
            None, factories.BELITUNG_TIMUR, Topic.PLACEMENT, factories.agency(), factories.NOW
        )
    with pytest.raises(AgencyNotActive):
        rules.assign_route(
            None,
            factories.BELITUNG,
            Topic.PLACEMENT,
            factories.agency(status=Status.SUSPENDED),
            factories.NOW,
        )


def test_a_new_route_keeps_who_answered_before() -> None:
    first = rules.assign_route(
        None, factories.BELITUNG, Topic.PLACEMENT, factories.agency(), factories.NOW
    )
    later = factories.NOW + timedelta(days=1)
    second = rules.assign_route(
        first, factories.BELITUNG, Topic.PLACEMENT, factories.agency(id="dinas-baru"), later
    )
    assert (second.agency_id, second.since) == ("dinas-baru", later)
    assert [(each.agency_id, each.until) for each in second.former] == [("dinas-belitung", later)]


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


@pytest.mark.parametrize(
    "refused",
    [
        grant(role="employer"),
        grant(regency_codes=frozenset[str]()),
        grant(regency_codes=frozenset({factories.BELITUNG, factories.BELITUNG_TIMUR})),
        grant(valid_until=factories.NOW),
        grant(valid_from=factories.NOW + timedelta(days=100)),
    ],
)
def test_a_grant_beyond_its_agency_is_refused(refused: Grant) -> None:
    with pytest.raises(GrantRefused):
        consumers.request(consumer(refused), factories.agency(), ONE, factories.NOW)


def test_an_agency_that_is_not_active_gets_no_consumer() -> None:
    with pytest.raises(AgencyNotActive):
        consumers.request(
            consumer(grant()), factories.agency(status=Status.PENDING), ONE, factories.NOW
        )


def test_a_suspended_consumer_may_not_read_and_a_caller_without_consumer_is_judged_by_its_claims_alone() -> (
    None
):
    active = consumers.change_status(consumer(), Status.ACTIVE, OTHER, factories.NOW)
    consumers.require_not_suspended([])
    consumers.require_not_suspended([active])
    with pytest.raises(ConsumerSuspended):
        consumers.require_not_suspended(
            [
                active,
                consumers.change_status(active, Status.SUSPENDED, OTHER, factories.NOW, "insiden"),
            ]
        )


def test_every_kind_of_agency_has_its_roles() -> None:
    assert consumers.ROLES_BY_AGENCY_KIND.keys() == set(AgencyKind)


def test_rotation_has_two_live_credentials() -> None:
    assert consumers.attach_credential(
        consumers.attach_credential(consumer(), "key-1"), "key-2"
    ).credential_refs == {"key-1", "key-2"}
