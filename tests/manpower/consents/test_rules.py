"""Rules of consents: what makes one, what ends one, and a reason for each refusal."""

import hashlib
from datetime import timedelta

import pytest

from chassis.errors import DomainError
from services.manpower.agencies.routing_table import RegencyNotServed, Topic
from services.manpower.agencies.rules import Agency, AgencyKind, AgencyNotActive, Status
from services.manpower.candidates.custody import Custody
from services.manpower.candidates.rules import Candidate, CandidateGone
from services.manpower.consents import rules
from services.manpower.consents.rules import (
    Consent,
    ConsentAlreadyGiven,
    ConsentEnded,
    ConsentFieldsRefused,
    ConsentPeriodRefused,
    ConsentTextUnknown,
    Ending,
    RecipientRefused,
    ResidenceMissing,
)
from services.manpower.visibility.rules import Column, ConsentShare, Purpose
from tests.manpower import factories

KNOWN_TEXT_HASHES = {
    ("dinas_registration", 1): "dcd02fe0",
    ("training_nomination", 1): "08900495",
    ("employer_share", 1): "54fbde42",
    ("tkm_application", 1): "7e8d0b6d",
    ("follow_up_contact", 1): "e6aa50f6",
    ("story_or_photo", 1): "ecd2551c",
    ("dinas_registration", 2): "5b87b38b",
    ("employer_share", 2): "0280a05b",
}


def give(consent: Consent, candidate: Candidate, recipient: Agency) -> Consent:
    return rules.give(consent, candidate, recipient, factories.NOW)


def candidate_of(*shares: ConsentShare, regency: str = factories.BELITUNG) -> Candidate:
    return factories.candidate(visibility=factories.visibility(*shares, regency_code=regency))


def test_a_complete_consent_is_taken_as_it_is() -> None:
    consent = factories.consent()
    assert give(consent, factories.candidate(), factories.agency()) == consent


GONE = factories.candidate(stay=factories.stay(Custody.ENDED))
EMPLOYER_TEXT = factories.text_hash(Purpose.EMPLOYER_SHARE)
IN_FUTURE = factories.NOW + timedelta(seconds=1)
REFUSED_CANDIDATES: list[tuple[Candidate, type[DomainError]]] = [
    (GONE, CandidateGone),
    (candidate_of(regency=""), ResidenceMissing),
    (candidate_of(regency=factories.BELITUNG_TIMUR), RegencyNotServed),
    (candidate_of(factories.share()), ConsentAlreadyGiven),
]
REFUSED_RECIPIENTS: list[tuple[Agency, type[DomainError]]] = [
    (factories.agency(status=Status.PENDING), AgencyNotActive),
    (factories.agency(kind=AgencyKind.BAPAS), RecipientRefused),
]
REFUSED_CONSENTS: list[tuple[Consent, type[DomainError]]] = [
    (factories.consent(fields=frozenset[Column]()), ConsentFieldsRefused),
    (factories.consent(fields=frozenset({Column.COURSES})), ConsentFieldsRefused),
    (factories.consent(text_version_hash="0" * 64), ConsentTextUnknown),
    (factories.consent(text_version_hash=EMPLOYER_TEXT), ConsentTextUnknown),
    (factories.consent(given_at=IN_FUTURE), ConsentPeriodRefused),
    (factories.consent(expires_at=factories.NOW), ConsentPeriodRefused),
]
REFUSED: list[tuple[Consent, Candidate, Agency, type[DomainError]]] = [
    *(
        (factories.consent(), candidate, factories.agency(), refusal)
        for candidate, refusal in REFUSED_CANDIDATES
    ),
    *(
        (factories.consent(), factories.candidate(), recipient, refusal)
        for recipient, refusal in REFUSED_RECIPIENTS
    ),
    *(
        (consent, factories.candidate(), factories.agency(), refusal)
        for consent, refusal in REFUSED_CONSENTS
    ),
]


@pytest.mark.parametrize(("consent", "candidate", "recipient", "refusal"), REFUSED)
def test_a_consent_against_a_rule_is_refused_with_its_reason(
    consent: Consent, candidate: Candidate, recipient: Agency, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        give(consent, candidate, recipient)


def test_an_expired_consent_does_not_prevent_a_new_one() -> None:
    expired = factories.share(expires_at=factories.NOW)
    assert give(factories.consent(), candidate_of(expired), factories.agency())


def test_an_employer_needs_no_regency_of_the_person() -> None:
    consent = factories.consent(
        purpose=Purpose.EMPLOYER_SHARE, recipient="usaha-contoh", text_version_hash=EMPLOYER_TEXT
    )
    assert give(consent, candidate_of(regency=""), factories.employer())


def test_a_consent_ends_once() -> None:
    ended = rules.end(factories.consent(), Ending.WITHDRAWN, factories.NOW)
    assert (ended.ended_at, ended.ending, ended.live) == (factories.NOW, Ending.WITHDRAWN, False)
    with pytest.raises(ConsentEnded):
        rules.end(ended, Ending.EXPIRED, factories.NOW)


@pytest.mark.scenario("P1/regency")
def test_the_recipient_is_looked_up_by_the_regency_on_the_ktp() -> None:
    person = candidate_of(regency=factories.BELITUNG_TIMUR)
    route_key = rules.find_route_key(Purpose.DINAS_REGISTRATION, person)
    assert route_key == (factories.BELITUNG_TIMUR, Topic.PLACEMENT)
    with pytest.raises(ResidenceMissing):
        rules.find_route_key(Purpose.DINAS_REGISTRATION, candidate_of(regency=""))
    with pytest.raises(RecipientRefused):
        rules.find_route_key(Purpose.EMPLOYER_SHARE, person)


def test_after_a_move_consents_of_offices_of_other_regencies_are_found() -> None:
    offices = [factories.agency(), factories.employer()]
    shares = (factories.share(), factories.employer_share())
    moved = candidate_of(*shares, regency=factories.BELITUNG_TIMUR)
    assert rules.find_shares_outside_regency(moved, offices) == {"consent-1"}
    stayed = candidate_of(*shares)
    assert rules.find_shares_outside_regency(stayed, offices) == set()


def test_every_purpose_has_a_text_and_its_hash_is_of_the_text_itself() -> None:
    assert {text.purpose for text in rules.CONSENT_TEXTS} == set(Purpose)
    text = rules.CONSENT_TEXTS[0]
    assert text.sha256 == hashlib.sha256(text.text.encode()).hexdigest()


def test_the_texts_of_consent_have_not_changed() -> None:
    """A consent names its text by this hash; a new wording is a new version."""
    hashes = {(text.purpose.value, text.version): text.sha256[:8] for text in rules.CONSENT_TEXTS}
    assert hashes == KNOWN_TEXT_HASHES


def test_the_share_of_a_consent_has_its_recipient_and_fields() -> None:
    consent = factories.consent()
    assert consent.share.recipient == "dinas-belitung"
    assert consent.share.fields == consent.fields
