"""Consents: what makes one, what ends one, and that each refusal has its own reason."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

import pytest

from chassis.errors import DomainError
from services.manpower.agencies.rules import (
    Agency,
    AgencyKind,
    AgencyNotActive,
    RegencyNotServed,
    Status,
    Topic,
)
from services.manpower.candidates.rules import Candidate, CandidateGone, Custody
from services.manpower.consents import rules
from services.manpower.consents.rules import (
    ConsentAlreadyGiven,
    ConsentEnded,
    ConsentFieldsRefused,
    ConsentPeriodRefused,
    ConsentTextUnknown,
    Ending,
    RecipientRefused,
    ResidenceMissing,
)
from services.manpower.visibility.rules import Column, Purpose
from tests.manpower import factories


def test_a_complete_consent_is_taken_as_it_is() -> None:
    consent = factories.consent()
    assert rules.give(consent, factories.candidate(), factories.agency(), factories.NOW) == consent


REFUSED: list[tuple[dict[str, object], dict[str, object], dict[str, object], type[DomainError]]] = [
    ({}, {"stay": factories.stay(Custody.ENDED)}, {}, CandidateGone),
    ({}, {}, {"status": Status.PENDING}, AgencyNotActive),
    ({}, {}, {"kind": AgencyKind.BAPAS}, RecipientRefused),
    ({}, {"visibility": factories.visibility(regency_code="")}, {}, ResidenceMissing),
    (
        {},
        {"visibility": factories.visibility(regency_code=factories.BELITUNG_TIMUR)},
        {},
        RegencyNotServed,
    ),
    ({"fields": frozenset[Column]()}, {}, {}, ConsentFieldsRefused),
    ({"fields": frozenset({Column.COURSES})}, {}, {}, ConsentFieldsRefused),
    ({"text_version_hash": "0" * 64}, {}, {}, ConsentTextUnknown),
    (
        {"text_version_hash": factories.text_hash(Purpose.EMPLOYER_SHARE)},
        {},
        {},
        ConsentTextUnknown,
    ),
    ({"given_at": factories.NOW + timedelta(seconds=1)}, {}, {}, ConsentPeriodRefused),
    ({"expires_at": factories.NOW}, {}, {}, ConsentPeriodRefused),
    ({}, {"visibility": factories.visibility(factories.share())}, {}, ConsentAlreadyGiven),
]


@pytest.mark.parametrize(("consent", "candidate", "recipient", "refusal"), REFUSED)
def test_a_consent_that_must_not_be_is_refused_with_its_reason(
    consent: Mapping[str, object],
    candidate: Mapping[str, object],
    recipient: Mapping[str, object],
    refusal: type[DomainError],
) -> None:
    with pytest.raises(refusal):
        rules.give(
            factories.consent(**consent),
            factories.candidate(**candidate),
            factories.agency(**recipient),
            factories.NOW,
        )


def test_an_expired_consent_does_not_stand_in_the_way_of_a_new_one() -> None:
    former = factories.share(expires_at=factories.NOW)
    assert rules.give(
        factories.consent(),
        factories.candidate(visibility=factories.visibility(former)),
        factories.agency(),
        factories.NOW,
    )


def test_an_employer_needs_no_regency_of_the_person() -> None:
    consent = factories.consent(
        purpose=Purpose.EMPLOYER_SHARE,
        recipient="usaha-contoh",
        text_version_hash=factories.text_hash(Purpose.EMPLOYER_SHARE),
    )
    assert rules.give(
        consent,
        factories.candidate(visibility=factories.visibility(regency_code="")),
        factories.employer(),
        factories.NOW,
    )


def test_a_consent_ends_once() -> None:
    ended = rules.end(factories.consent(), Ending.WITHDRAWN, factories.NOW)
    assert (ended.ended_at, ended.ending, ended.live) == (factories.NOW, Ending.WITHDRAWN, False)
    with pytest.raises(ConsentEnded):
        rules.end(ended, Ending.EXPIRED, factories.NOW)


@pytest.mark.scenario("P1/regency")
def test_the_recipient_is_looked_up_by_the_regency_on_the_ktp() -> None:
    person = factories.candidate(
        visibility=factories.visibility(regency_code=factories.BELITUNG_TIMUR)
    )
    assert rules.find_route_key(Purpose.DINAS_REGISTRATION, person) == (
        factories.BELITUNG_TIMUR,
        Topic.PLACEMENT,
    )
    with pytest.raises(ResidenceMissing):
        rules.find_route_key(
            Purpose.DINAS_REGISTRATION,
            factories.candidate(visibility=factories.visibility(regency_code="")),
        )
    with pytest.raises(RecipientRefused):
        rules.find_route_key(Purpose.EMPLOYER_SHARE, person)


def test_after_a_move_the_consents_of_offices_that_do_not_answer_there_are_homeless() -> None:
    moved = factories.candidate(
        visibility=factories.visibility(
            factories.share(), factories.employer_share(), regency_code=factories.BELITUNG_TIMUR
        )
    )
    offices: list[Agency] = [factories.agency(), factories.employer()]
    assert rules.find_shares_outside_regency(moved, offices) == {"consent-1"}
    assert (
        rules.find_shares_outside_regency(
            factories.candidate(visibility=factories.visibility(factories.share())), offices
        )
        == set()
    )


def test_every_purpose_has_a_text_and_its_hash_is_of_the_text_itself() -> None:
    assert {text.purpose for text in rules.CONSENT_TEXTS} == set(Purpose)
    text = rules.CONSENT_TEXTS[0]
    assert text.sha256 == hashlib.sha256(text.text.encode()).hexdigest()


def test_the_candidate_of_a_consent_carries_it_as_a_share() -> None:
    consent = factories.consent()
    person: Candidate = factories.candidate()
    assert (consent.share.recipient, consent.share.fields, person.visibility.shares) == (
        "dinas-belitung",
        consent.fields,
        (),
    )
