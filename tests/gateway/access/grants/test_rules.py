"""Rules of grants, deputies and second persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.access.grants import acting, rules
from gateway.access.grants.rules import (
    MANPOWER_GRANTOR,
    ROLES_BY_GRANTOR,
    ClaimUnknown,
    Grant,
    GrantChoiceNeeded,
    GrantEnded,
    GrantKind,
    Grantor,
    GrantTerms,
    GrantToSelf,
    LetterNeeded,
    NoGrant,
    NothingToDelegate,
    NotOfKanwil,
    PeriodEmpty,
    PeriodTooLong,
    RoleNotGivable,
    ScopeTooWide,
    UserOfPrison,
)
from gateway.access.users.rules import MANPOWER_HOME
from tests.gateway.region import TODAY

GIVER = Grantor(
    name="u-9",
    roles=ROLES_BY_GRANTOR["administrator"],
    claims={"facility": frozenset({"LP-TJP", "LP-PKP"})},
)
ABOVE = replace(GIVER, claims={"facility": frozenset({"*"})}, is_above=True)


def given(
    *,
    by: Grantor = GIVER,
    held: Sequence[Grant] = (),
    officials: Sequence[Grant] = (),
    days: int = 30,
    **more: Any,
) -> Grant:
    response: dict[str, Any] = {
        "role": "head",
        "claims": {"facility": ["LP-TJP"]},
        "valid_from": TODAY,
        "valid_until": TODAY + timedelta(days=days),
    }
    return rules.give(
        GrantTerms(**(response | more)),
        id="g-1",
        user_id="u-1",
        homes=("LP-TJP",),
        home="LP-TJP",
        grantor=by,
        held_grants=held,
        official_grants=officials,
    )


NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def granted(
    *,
    by: Grantor = MANPOWER_GRANTOR,
    user_id: str = "u-1",
    homes: Sequence[str] = (MANPOWER_HOME,),
    held: Sequence[Grant] = (),
    officials: Sequence[Grant] = (),
    **more: Any,
) -> Grant:
    response: dict[str, Any] = {
        "role": "employer",
        "claims": {"employer": ["b", "a", "a"]},
        "valid_from": NOW,
        "valid_until": NOW + timedelta(days=1),
    }
    return rules.give(
        GrantTerms(**(response | more)),
        id="g-1",
        user_id=user_id,
        homes=homes,
        home="LP-TJP",
        grantor=by,
        held_grants=held,
        official_grants=officials,
    )


ADMINISTRATOR = Grantor(
    name="u-9",
    roles=ROLES_BY_GRANTOR["administrator"],
    claims={"facility": frozenset({"LP-TJP", "LP-PKP"})},
)


def test_a_deputy_administrator_gives_nothing_to_the_one_they_act_for() -> None:
    terms = GrantTerms(
        role="head",
        claims={"facility": ["LP-TJP"]},
        valid_from=TODAY,
        valid_until=TODAY + timedelta(days=1),
    )
    for receiver in (GIVER.name, "u-8"):
        with pytest.raises(GrantToSelf):
            rules.give(
                terms,
                id="g-1",
                user_id=receiver,
                homes=("LP-TJP",),
                home="LP-TJP",
                grantor=replace(GIVER, on_behalf_of="u-8"),
            )


def test_an_auditor_is_bound_to_a_letter_a_scope_and_a_year_at_most() -> None:
    assert given(role="auditor", letter="ST-4").letter == "ST-4"
    lacking: list[dict[str, Any]] = [
        {},
        {"letter": "ST-4", "claims": {}},
        {"letter": "ST-4", "claims": {"facility": []}},
    ]
    for more in lacking:
        with pytest.raises(LetterNeeded):
            given(role="auditor", **more)
    with pytest.raises(PeriodTooLong):
        given(role="auditor", letter="ST-4", days=367)
    with pytest.raises(PeriodTooLong):
        given(kind=GrantKind.PLT, role="auditor", letter="W.7", days=185)


@pytest.mark.parametrize(
    "claims",
    [
        {"facility": ["LP-TJP", "LP-PKP"]},
        {"facility": ["LP-PKP"]},
        {"facility": ["*"]},
        {"lsp": ["x"]},
        {},
    ],
)
def test_a_deputys_rows_are_never_more_than_the_officials(claims: dict[str, list[str]]) -> None:
    official = given()
    with pytest.raises((NothingToDelegate, ScopeTooWide, LetterNeeded)):
        given(
            kind=GrantKind.PLH,
            letter="W.7",
            on_behalf_of="u-2",
            claims=claims,
            officials=[official],
        )
    assert (
        given(
            kind=GrantKind.PLH, letter="W.7", on_behalf_of="u-2", officials=[official]
        ).on_behalf_of
        == "u-2"
    )


def test_a_deputy_appoints_no_deputy_and_an_ended_kanwil_grant_no_second() -> None:
    deputy = given(kind=GrantKind.PLH, letter="W.7", on_behalf_of="u-2", officials=[given()])
    with pytest.raises(NothingToDelegate):
        given(kind=GrantKind.PLH, letter="W.8", on_behalf_of="u-1", officials=[deputy])
    former = rules.end(given(role="kanwil", by=ABOVE), now=TODAY)
    with pytest.raises(NotOfKanwil):
        given(kind=GrantKind.SECOND, letter="W.9", held=[former])


def test_a_deputy_has_no_more_than_the_official_has_now_and_no_longer() -> None:
    acts = [
        "POST /v1/snapshots/{snapshot_id}/release",
        "POST /v1/tpp-decisions/{decision_id}/head-approval",
    ]
    official = given(days=10, excluded=acts[:1])
    deputy = given(
        kind=GrantKind.PLH,
        letter="W.7",
        on_behalf_of="u-2",
        officials=[official],
        excluded=acts[1:],
        days=30,
    )
    [held] = acting.limit_to_officials([deputy], {"u-2": [official]}, TODAY)
    assert (held.valid_until, held.excluded) == (official.valid_until, tuple(acts))
    assert acting.limit_to_officials([deputy], {"u-2": [official]}, official.valid_until) == []
    wider = replace(official, excluded=())
    assert acting.limit_to_officials([deputy], {"u-2": [official, wider]}, TODAY)[0].excluded == (
        acts[1],
    ), "the official may act under either"


def test_a_second_leaves_with_their_place_at_the_kanwil() -> None:
    kanwil = given(role="kanwil", by=ABOVE, days=10)
    second = given(kind=GrantKind.SECOND, letter="W.9", held=[kanwil], days=30)
    assert [one.valid_until for one in acting.limit_to_officials([second, kanwil], {}, TODAY)] == [
        kanwil.valid_until
    ] * 2
    assert acting.limit_to_officials([second, kanwil], {}, kanwil.valid_until) == [kanwil]
    assert (
        acting.limit_to_officials([second, rules.end(kanwil, now=TODAY)], {}, TODAY)[0].role
        == "kanwil"
    )


def test_a_kanwil_grant_of_the_prisons_own_makes_no_second_person() -> None:
    own = given(role="kanwil")
    with pytest.raises(NotOfKanwil):
        given(kind=GrantKind.SECOND, letter="W.9", held=[own])
    appointed = given(role="kanwil", by=MANPOWER_GRANTOR)
    second = given(kind=GrantKind.SECOND, letter="W.9", held=[appointed])
    assert acting.limit_to_officials([second, own], {}, TODAY) == [own]


@pytest.mark.parametrize("role", sorted(rules.OUTSIDE_ROLES))
def test_an_outside_role_needs_a_user_that_manpower_registered(role: str) -> None:
    claims = {"agency": ["dinas"]}
    with pytest.raises(UserOfPrison):
        granted(role=role, claims=claims, homes=("LP-TJP",))
    assert granted(role=role, claims=claims, homes=("LP-TJP", MANPOWER_HOME)).role == role


def test_a_grant_keeps_its_scopes_in_order_and_without_repeats() -> None:
    assert granted().claims == {"employer": ("a", "b")}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"role": "head"}, RoleNotGivable),
        ({"by": ADMINISTRATOR}, RoleNotGivable),
        ({"claims": {"city": ["x"]}}, ClaimUnknown),
        ({"valid_until": NOW}, PeriodEmpty),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(
    more: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        granted(**more)


def test_a_grant_is_in_force_from_its_first_moment_until_before_its_last() -> None:
    grant = granted()
    assert acting.choose_acting_grant([grant], "", NOW) is grant
    for moment in (NOW - timedelta(seconds=1), NOW + timedelta(days=1)):
        with pytest.raises(NoGrant):
            acting.choose_acting_grant([grant], "", moment)


def test_a_grant_is_ended_once() -> None:
    ended = rules.end(granted(), now=NOW)
    with pytest.raises(GrantEnded):
        rules.end(ended, now=NOW)
    with pytest.raises(NoGrant):
        acting.choose_acting_grant([ended], "", NOW)


def test_several_grants_need_a_choice_among_the_callers_own() -> None:
    grants = [granted(), replace(granted(role="dinas_kukm", claims={}), id="g-2")]
    with pytest.raises(GrantChoiceNeeded):
        acting.choose_acting_grant(grants, "", NOW)
    assert acting.choose_acting_grant(grants, "g-2", NOW).role == "dinas_kukm"
    with pytest.raises(NoGrant):
        acting.choose_acting_grant(grants, "g-3", NOW)
