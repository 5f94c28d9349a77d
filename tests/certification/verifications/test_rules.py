"""Rules of verification: issuer, dates, status lists, our own store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.certification.credentials import document, multibase
from services.certification.lsps.rules import Licence
from services.certification.statuslists import bits
from services.certification.statuslists.rules import FetchedList
from services.certification.verifications.rules import (
    STEPS,
    CheckResult,
    VerificationResult,
    VerificationStatus,
    verify,
)
from tests.certification.credentials.factories import (
    CONTENT,
    DAY,
    LICENCE,
    NOW,
    REVOCATION_INDEX,
    REVOCATION_LIST,
    REVOCATION_URL,
    SUSPENSION_INDEX,
    TICK,
    Issuer,
    Json,
    stored,
    without,
)

ISSUER = Issuer()
OTHER_ISSUER = Issuer(slug="teknik-mandiri")
CREDENTIAL = ISSUER.certificate()
FetchedLists = dict[str, FetchedList]


def verified(
    credential: Json = CREDENTIAL, lists: FetchedLists | None = None
) -> VerificationResult:
    """Return the result now, as a verifier without our store gets it."""
    fetched = ISSUER.lists() if lists is None else lists
    return verify(credential, ISSUER.trusted(), fetched, None, NOW)


def with_revocation_list(revocation_list: FetchedList) -> FetchedLists:
    """Return both lists with this one as revocation list."""
    return ISSUER.lists() | {REVOCATION_URL: revocation_list}


def test_a_genuine_certificate_is_valid_and_shows_its_content() -> None:
    result = verified()
    assert result.status is VerificationStatus.VALID
    not_passed = {
        step: check for step, check in result.checks.items() if check is not CheckResult.PASSED
    }
    assert not_passed == {"digest": CheckResult.SKIPPED}
    assert result.name == CONTENT.name
    assert result.scheme == CONTENT.scheme_title
    assert result.issuer_name == CONTENT.issuer_name
    assert result.units == tuple((unit.code, unit.title) for unit in CONTENT.units)
    assert result.status_as_of == TICK


def test_an_issuer_that_is_not_listed_is_unknown_and_ends_the_check() -> None:
    result = verify(OTHER_ISSUER.certificate(), None, {}, None, NOW)
    assert result.status is VerificationStatus.UNKNOWN_ISSUER
    skipped = dict.fromkeys(STEPS[1:], CheckResult.SKIPPED)
    assert result.checks == {"trust": CheckResult.FAILED} | skipped


@pytest.mark.scenario("C11/rules")
def test_a_certificate_signed_by_another_did_or_key_is_invalid() -> None:
    unsigned = document.build_certificate(CONTENT)
    with_foreign_key = Issuer(keys=ISSUER.keys | {"key-2026": OTHER_ISSUER.keys["key-2026"]})
    for signed in (
        OTHER_ISSUER.sign(unsigned),
        with_foreign_key.sign(unsigned),
        ISSUER.sign(unsigned, "status-2026"),
        ISSUER.sign(unsigned, "key-2026", method=f"{ISSUER.did}#key-2027"),
    ):
        assert verified(signed).status is VerificationStatus.INVALID


def issued_under(licence: Licence | None) -> VerificationResult:
    """Return the result for a certificate that our store holds with this licence."""
    record = stored(CREDENTIAL, licence=licence)
    return verify(CREDENTIAL, ISSUER.trusted(is_ours=True), ISSUER.lists(), record, NOW)


@pytest.mark.scenario("C11/rules")
@pytest.mark.parametrize(
    "licence",
    [
        None,
        replace(LICENCE, valid_until=DAY - timedelta(days=1)),
        replace(LICENCE, valid_from=DAY + timedelta(days=1)),
        replace(LICENCE, scheme_refs=frozenset({"las-smaw"})),
    ],
)
def test_a_certificate_outside_the_licence_of_its_issue_is_invalid(
    licence: Licence | None,
) -> None:
    """The licence had ended or not begun, or does not cover the scheme."""
    result = issued_under(licence)
    assert result.status is VerificationStatus.INVALID
    assert result.checks["issuer"] is CheckResult.FAILED


@pytest.mark.scenario("C11/rules")
@pytest.mark.parametrize(
    "licence",
    [LICENCE, replace(LICENCE, valid_from=DAY), replace(LICENCE, valid_until=DAY)],
)
def test_the_first_and_the_last_day_of_the_licence_count(licence: Licence) -> None:
    assert issued_under(licence).status is VerificationStatus.VALID


@pytest.mark.scenario("C11/rules")
def test_a_certificate_signed_by_another_key_of_the_issuer_is_invalid() -> None:
    """The key that our store names for the certificate is another one."""
    record = stored(CREDENTIAL, key_name="key-2026-b")
    result = verify(CREDENTIAL, ISSUER.trusted(is_ours=True), ISSUER.lists(), record, NOW)
    assert result.status is VerificationStatus.INVALID


@pytest.mark.parametrize(
    "did_document",
    [
        None,
        {},
        {"id": "did:web:other.example:i:x"},
        OTHER_ISSUER.did_document(),
        {"id": ISSUER.did, "verificationMethod": "x", "assertionMethod": []},
    ],
)
def test_a_missing_or_foreign_did_document_is_indeterminate(did_document: Json | None) -> None:
    issuer = replace(ISSUER.trusted(), document=did_document)
    result = verify(CREDENTIAL, issuer, ISSUER.lists(), None, NOW)
    assert result.status is VerificationStatus.INDETERMINATE
    assert result.checks["proof"] is CheckResult.UNKNOWN


def test_certificates_of_a_key_removed_from_assertion_method_are_invalid() -> None:
    """The dates of the certificate do not matter."""
    did_document = ISSUER.did_document()
    did_document["assertionMethod"].remove(f"{ISSUER.did}#key-2026")
    issuer = replace(ISSUER.trusted(), document=did_document)
    result = verify(CREDENTIAL, issuer, ISSUER.lists(), None, NOW)
    assert result.status is VerificationStatus.INVALID


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (CONTENT.valid_from - timedelta(seconds=1), VerificationStatus.NOT_YET_VALID),
        (CONTENT.valid_from, VerificationStatus.VALID),
        (CONTENT.valid_until - timedelta(seconds=1), VerificationStatus.VALID),
        (CONTENT.valid_until, VerificationStatus.EXPIRED),
    ],
)
def test_it_is_valid_from_its_first_second_until_before_its_last(
    moment: datetime, expected: VerificationStatus
) -> None:
    lists = ISSUER.lists(tick=moment - timedelta(minutes=1))
    assert verify(CREDENTIAL, ISSUER.trusted(), lists, None, moment).status is expected


@pytest.mark.parametrize(
    ("revoked", "suspended", "expected"),
    [
        ((REVOCATION_INDEX,), (), VerificationStatus.REVOKED),
        ((), (SUSPENSION_INDEX,), VerificationStatus.SUSPENDED),
        ((REVOCATION_INDEX,), (SUSPENSION_INDEX,), VerificationStatus.REVOKED),
        ((SUSPENSION_INDEX, 4710, 4712), (REVOCATION_INDEX,), VerificationStatus.VALID),
    ],
)
def test_a_raised_bit_revokes_or_suspends_and_revoked_comes_first(
    revoked: tuple[int, ...], suspended: tuple[int, ...], expected: VerificationStatus
) -> None:
    assert verified(lists=ISSUER.lists(revoked, suspended)).status is expected


def test_a_readable_revocation_counts_although_the_other_list_is_missing() -> None:
    revocation_list = ISSUER.lists(revoked=(REVOCATION_INDEX,))[REVOCATION_URL]
    result = verified(lists={REVOCATION_URL: revocation_list})
    assert result.status is VerificationStatus.REVOKED
    assert result.checks["status"] is CheckResult.FAILED


def gzipped(data: bytes) -> str:
    """Return an encoded list of these bytes."""
    return multibase.encode_base64url(gzip.compress(data))


def with_forged_bits() -> Json:
    """Return a signed list whose raised bit was cleared afterwards."""
    forged = ISSUER.revocation_list((REVOCATION_INDEX,))
    forged["credentialSubject"]["encodedList"] = bits.encode(())
    return forged


def signed_by_another_did() -> Json:
    return OTHER_ISSUER.sign(without(ISSUER.revocation_list(), "proof"), "status-2026")


def truncated() -> Json:
    whole = multibase.decode_base64url(bits.encode(()))
    return ISSUER.revocation_list(encoded=multibase.encode_base64url(whole[:-9]))


LIST_ATTACKS: dict[str, Callable[[], Json | None]] = {
    "forged bits": with_forged_bits,
    "signed by another DID": signed_by_another_did,
    "of another DID": OTHER_ISSUER.revocation_list,
    "of the other purpose": lambda: ISSUER.status_list(REVOCATION_LIST, "suspension"),
    "signed by a certificate key": lambda: ISSUER.revocation_list(key="key-2026"),
    "past validUntil": lambda: ISSUER.revocation_list(tick=NOW - timedelta(hours=24)),
    "from tomorrow": lambda: ISSUER.revocation_list(tick=NOW + timedelta(minutes=1)),
    "of another URL": lambda: ISSUER.status_list("other", "revocation"),
    "unreachable": lambda: None,
    "an empty object": dict,
    "too short": lambda: ISSUER.revocation_list(encoded=gzipped(bytes(1024))),
    "a gzip bomb": lambda: ISSUER.revocation_list(encoded=gzipped(bytes(20 * 1024 * 1024))),
    "not gzip": lambda: ISSUER.revocation_list(encoded="uAAAA"),
    "truncated": truncated,
}


@pytest.mark.scenario("C6/lists")
@pytest.mark.parametrize("attack", LIST_ATTACKS)
def test_a_list_that_is_not_as_required_is_indeterminate(attack: str) -> None:
    attacked = FetchedList(document=LIST_ATTACKS[attack]())
    result = verified(lists=with_revocation_list(attacked))
    assert result.status is VerificationStatus.INDETERMINATE
    assert result.checks["status"] is CheckResult.UNKNOWN


@pytest.mark.scenario("C6/lists")
def test_an_older_list_than_one_seen_before_is_a_replay() -> None:
    replayed = FetchedList(
        document=ISSUER.revocation_list(), newest_seen=NOW - timedelta(minutes=1)
    )
    result = verified(lists=with_revocation_list(replayed))
    assert result.status is VerificationStatus.INDETERMINATE


@pytest.mark.scenario("C6/lists")
def test_an_index_outside_the_list_is_indeterminate() -> None:
    outside = document.StatusSlot(list_id=REVOCATION_LIST, index=131_072)
    credential = ISSUER.certificate(revocation=outside)
    assert verified(credential).status is VerificationStatus.INDETERMINATE


@pytest.mark.scenario("C6/lists")
def test_a_list_on_another_host_is_indeterminate() -> None:
    url = "https://other.example/l/r7Qe"
    unsigned = document.build_certificate(CONTENT)
    unsigned["credentialStatus"][0].update(statusListCredential=url, id=f"{url}#4711")
    lists = ISSUER.lists()
    result = verified(ISSUER.sign(unsigned), lists | {url: lists[REVOCATION_URL]})
    assert result.status is VerificationStatus.INDETERMINATE


@pytest.mark.parametrize(
    "status",
    [
        VerificationStatus.REPLACED,
        VerificationStatus.REVOKED,
        VerificationStatus.SUSPENDED,
        VerificationStatus.WITHDRAWN,
    ],
)
def test_the_status_of_our_store_outweighs_the_lists(status: VerificationStatus) -> None:
    issuer = ISSUER.trusted(is_ours=True)
    result = verify(CREDENTIAL, issuer, ISSUER.lists(), stored(CREDENTIAL, status), NOW)
    assert (result.status, result.status_as_of) == (status, NOW)
    assert (result.name is None) == (status is VerificationStatus.WITHDRAWN)


def test_a_certificate_valid_in_our_store_is_valid_despite_a_raised_bit() -> None:
    lists = ISSUER.lists(suspended=(SUSPENSION_INDEX,))
    issuer = ISSUER.trusted(is_ours=True)
    result = verify(CREDENTIAL, issuer, lists, stored(CREDENTIAL), NOW)
    assert result.status is VerificationStatus.VALID


@pytest.mark.scenario("C10/forged")
def test_a_certificate_under_our_key_unknown_to_our_store_is_forged() -> None:
    issuer = ISSUER.trusted(is_ours=True)
    result = verify(CREDENTIAL, issuer, ISSUER.lists(), None, NOW)
    assert result.status is VerificationStatus.INVALID


@pytest.mark.scenario("C10/forged")
def test_a_certificate_under_our_key_with_another_digest_is_forged() -> None:
    issuer = ISSUER.trusted(is_ours=True)
    back_dated = ISSUER.certificate(name="Orang Lain")
    result = verify(back_dated, issuer, ISSUER.lists(), stored(CREDENTIAL), NOW)
    assert result.status is VerificationStatus.INVALID
    assert result.checks["proof"] is CheckResult.PASSED
    assert result.checks["digest"] is CheckResult.FAILED
    assert result.name is None


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"issuer": 1}',
        '{"issuer": {"id": []}, "credentialStatus": 3}',
        '{"proof": [[]]}',
        '{"issuer": null, "credentialStatus": [1, {}]}',
    ],
)
def test_an_object_of_any_shape_is_verified_without_an_error(text: str) -> None:
    result = verify(json.loads(text), ISSUER.trusted(), {}, None, NOW)
    assert result.status is VerificationStatus.UNKNOWN_ISSUER
