"""Rules of visibility: an outside reader sees a row only by a consent in force."""

from datetime import timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from chassis.caller import Caller
from services.manpower.visibility import rules
from services.manpower.visibility.rules import (
    OPENED_COLUMNS,
    OUTSIDE_ROLES,
    Column,
    Purpose,
    Reader,
    Subject,
)
from tests.manpower import factories


def caller(role: str = "dinas_placement", **claims: str) -> Caller:
    return Caller(
        subject="user-9",
        role=role,
        claims={name: frozenset(value.split()) for name, value in claims.items()},
    )


DINAS = Reader(
    recipients=frozenset({"dinas-belitung"}),
    purpose=Purpose.DINAS_REGISTRATION,
    regencies=frozenset({factories.BELITUNG}),
)


@pytest.mark.scenario("P4/filter")
@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"agency": "dinas-belitung"},
        {"regency": "19.02"},
        {"agency": "", "regency": "19.02"},
        {"agency": "dinas-belitung", "regency": ""},
        {"agency": "*", "regency": "*"},
        {"facility": "*"},
    ],
)
def test_a_missing_empty_or_unlimited_claim_makes_no_reader(claims: dict[str, str]) -> None:
    assert rules.reader_of(caller(**claims)) is None


@pytest.mark.scenario("P4/filter")
@pytest.mark.parametrize("role", ["dinas_placment", "", "kanwil", "case_officer"])
def test_a_role_that_is_misspelt_or_not_an_outside_one_makes_no_reader(role: str) -> None:
    assert rules.reader_of(caller(role, agency="dinas-belitung", regency="19.02")) is None


def test_the_claims_of_a_dinas_make_a_reader_for_its_one_purpose() -> None:
    assert rules.reader_of(caller(agency="dinas-belitung", regency="19.02")) == DINAS


@for_all(
    recipient=st.sampled_from(["dinas-belitung", "dinas-lain"]),
    purpose=st.sampled_from(Purpose),
    begins=st.integers(-2, 2),
    lasts=st.integers(1, 3),
    regency=st.sampled_from([factories.BELITUNG, factories.BELITUNG_TIMUR, ""]),
)
@pytest.mark.scenario("MP-6/rule")
def test_a_row_is_visible_exactly_while_a_fitting_consent_is_in_force(
    recipient: str, purpose: Purpose, begins: int, lasts: int, regency: str
) -> None:
    given_at = factories.NOW + timedelta(seconds=begins)
    share = factories.share(
        recipient=recipient,
        purpose=purpose,
        given_at=given_at,
        expires_at=given_at + timedelta(seconds=lasts),
    )
    seen = rules.share_for(factories.visibility(share, regency_code=regency), DINAS, factories.NOW)
    expected = (
        recipient == "dinas-belitung"
        and purpose is Purpose.DINAS_REGISTRATION
        and regency == factories.BELITUNG
        and begins <= 0 < begins + lasts
    )
    assert (seen is not None) is expected


def test_at_the_moment_of_expiry_the_consent_is_over() -> None:
    share = factories.share()
    assert share.is_in_force(share.expires_at - timedelta(milliseconds=1))
    assert not share.is_in_force(share.expires_at)


@pytest.mark.scenario("P5/columns")
@for_all(
    purpose=st.sampled_from(Purpose),
    subject=st.sampled_from(Subject),
    fields=st.frozensets(st.sampled_from(Column)),
)
def test_the_columns_shown_are_in_the_consent_and_in_the_purpose(
    purpose: Purpose, subject: Subject, fields: frozenset[Column]
) -> None:
    """An employer also sees its own steps and placements, which no consent needs to name."""
    shown = rules.visible_columns(factories.share(purpose=purpose, fields=fields), subject)
    own = {Column.STEPS, Column.PLACEMENT, Column.EMPLOYER}
    named = fields | own if purpose is Purpose.EMPLOYER_SHARE else fields
    assert shown == named & OPENED_COLUMNS[purpose].get(subject, frozenset())
    assert Column.WAGE not in shown or Column.WAGE in fields


def test_a_purpose_opens_only_its_kinds_of_rows() -> None:
    """Specification, section 3: training and TKM open the person, follow-up also the placement."""
    opened = {
        purpose: {subject for subject in Subject if rules.opens(purpose, subject)}
        for purpose in Purpose
    }
    assert opened == {
        Purpose.DINAS_REGISTRATION: set(Subject),
        Purpose.EMPLOYER_SHARE: set(Subject),
        Purpose.TRAINING_NOMINATION: {Subject.CANDIDATE},
        Purpose.TKM_APPLICATION: {Subject.CANDIDATE},
        Purpose.FOLLOW_UP_CONTACT: {Subject.CANDIDATE, Subject.PLACEMENT},
        Purpose.STORY_OR_PHOTO: set(),
    }
    row = factories.visibility(*(factories.share(purpose=purpose) for purpose in Purpose))
    for subject in Subject:
        kept = {share.purpose for share in rules.restrict_to_subject(row, subject).shares}
        assert kept == {purpose for purpose in Purpose if subject in opened[purpose]}


def test_every_outside_role_reads_for_a_purpose_of_its_own() -> None:
    assert len({role.purpose for role in OUTSIDE_ROLES.values()}) == len(OUTSIDE_ROLES)


def test_a_change_reaches_only_audiences_with_a_consent_in_force() -> None:
    ended = factories.share(
        consent_id="consent-3", recipient="dinas-lain", expires_at=factories.NOW
    )
    row = factories.visibility(factories.share(), ended, factories.employer_share())
    assert rules.current_audiences(row, factories.NOW) == {
        "dinas-belitung/dinas_registration/19.02",
        "usaha-contoh/employer_share",
    }
    assert rules.all_audiences(row) - rules.current_audiences(row, factories.NOW) == {
        "dinas-lain/dinas_registration/19.02"
    }


@for_all(
    readers=st.frozensets(
        st.sampled_from([factories.BELITUNG, factories.BELITUNG_TIMUR]), min_size=1
    ),
    regency=st.sampled_from([factories.BELITUNG, factories.BELITUNG_TIMUR]),
)
def test_a_reader_hears_of_exactly_the_rows_that_it_may_see(
    readers: frozenset[str], regency: str
) -> None:
    row = factories.visibility(factories.share(), regency_code=regency)
    reader = Reader(
        recipients=frozenset({"dinas-belitung"}),
        purpose=Purpose.DINAS_REGISTRATION,
        regencies=readers,
    )
    hears = not rules.current_audiences(row, factories.NOW).isdisjoint(reader.audiences)
    sees = rules.share_for(row, reader, factories.NOW) is not None
    assert hears is sees
