"""The pipeline: what is said of a certificate that was changed, revoked, forged, or whose lists cannot be read."""

from __future__ import annotations

import copy
import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies

from services.certification.credentials import document, multibase, proof
from services.certification.statuslists import bits
from services.certification.statuslists.rules import FetchedList
from services.certification.verifications.rules import STEPS, Check, Status, verify
from tests.certification.factories import (
    CERTIFIED,
    NOW,
    ORIGIN,
    REVOCATION,
    SUSPENSION,
    Issuer,
    stored,
)

Json = dict[str, Any]
ISSUER, OTHER = Issuer(), Issuer(slug="teknik-mandiri")
CREDENTIAL = ISSUER.certificate()
REVOCATIONS, SUSPENSIONS = (
    document.list_url(ORIGIN, REVOCATION),
    document.list_url(ORIGIN, SUSPENSION),
)


def said(
    credential: Json, *, ours: bool = False, lists: dict[str, FetchedList] | None = None
) -> Status:
    """What an issuer's own or another verifier says of it now."""
    return verify(
        credential,
        ISSUER.trusted(ours=ours),
        ISSUER.lists() if lists is None else lists,
        stored(CREDENTIAL),
        NOW,
    ).status


def changed(change: Callable[[Json], object], credential: Json = CREDENTIAL) -> Json:
    """A copy of the credential after this change."""
    copied = copy.deepcopy(credential)
    change(copied)
    return copied


def test_a_genuine_certificate_is_valid_and_says_what_it_certifies() -> None:
    result = verify(CREDENTIAL, ISSUER.trusted(), ISSUER.lists(), None, NOW)
    assert result.status is Status.VALID
    assert {step: check for step, check in result.checks.items() if check is not Check.PASSED} == {
        "digest": Check.SKIPPED
    }
    assert (result.name, result.scheme, result.issuer_name) == (
        CERTIFIED.name,
        CERTIFIED.scheme_title,
        CERTIFIED.issuer_name,
    )
    assert result.units == tuple((unit.code, unit.title) for unit in CERTIFIED.units)
    assert result.status_as_of == NOW - timedelta(minutes=3)


TAMPERED: dict[str, Callable[[Json], object]] = {
    "name": lambda c: c["credentialSubject"]["identifier"][0].update(
        identityHash="Muhammad Syahrul Ramadham"
    ),
    "scheme": lambda c: c["credentialSubject"]["achievement"].update(
        name="Pemasangan Instalasi Listrik Bangunan Sederhans"
    ),
    "unit code": lambda c: c["credentialSubject"]["achievement"]["alignment"][0].update(
        targetCode="F.432111.001.03"
    ),
    "validUntil": lambda c: c.update(validUntil="2039-11-24T00:00:00+07:00"),
    "proof.created": lambda c: c["proof"][0].update(created="2026-11-23T17:00:01Z"),
    "issuer.name": lambda c: c["issuer"].update(name="LSP Konstruksi Nusantarb"),
    "credentialStatus removed": lambda c: c.pop("credentialStatus"),
    "one status removed": lambda c: c["credentialStatus"].pop(),
    "jcs proof removed": lambda c: c.pop("proof"),
    "proof empty": lambda c: c.update(proof=[]),
    "jcs proof replaced": lambda c: c["proof"][0].update(cryptosuite="eddsa-rdfc-2022"),
    "signature of nothing": lambda c: c["proof"][0].update(
        proofValue=multibase.encode_base58(bytes(64))
    ),
}


@pytest.mark.scenario("C2/tampering")
@pytest.mark.parametrize("where", TAMPERED)
@pytest.mark.parametrize("ours", [True, False])
def test_one_changed_character_or_a_missing_part_is_invalid(where: str, ours: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    assert said(changed(TAMPERED[where]), ours=ours) is Status.INVALID


@pytest.mark.scenario("C2/tampering")
def test_proofs_swapped_between_two_certificates_are_invalid() -> None:
    other = ISSUER.certificate(id="5b0c7c53-1a5f-4e35-9d0a-0a4f0b7b1c22")
    assert said(CREDENTIAL | {"proof": other["proof"]}) is Status.INVALID
    assert said(other | {"proof": CREDENTIAL["proof"]}) is Status.INVALID


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all leaves of a document."""
    if isinstance(value, dict):
        for name, inner in cast("Json", value).items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def replaced(credential: Json, path: tuple[Any, ...], value: Any) -> Json:
    """A copy with another value at this path."""
    copied = copy.deepcopy(credential)
    parent: Any = copied
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return copied


LEAVES = list(leaves(CREDENTIAL))
VALUES = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.integers(),
    strategies.text(max_size=40),
    strategies.lists(strategies.text(max_size=5), max_size=2),
    strategies.just({}),
    strategies.floats(allow_nan=False),
)


@pytest.mark.scenario("C2/every-leaf")
@settings(max_examples=400, deadline=None)
@given(
    path=strategies.sampled_from(LEAVES),
    value=VALUES,
    flip=strategies.integers(0, 200),
    ours=strategies.booleans(),
)
def test_no_single_changed_leaf_is_valid(
    path: tuple[Any, ...],
    value: Any,
    flip: int,
    ours: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    before: Any = CREDENTIAL
    for key in path:
        before = before[key]
    for after in (
        value,
        before[: flip % len(before)]
        + chr(ord(before[flip % len(before)]) ^ 1)
        + before[flip % len(before) + 1 :]
        if isinstance(before, str)
        else not before,
    ):
        if after != before or type(after) is not type(before):
            assert said(replaced(CREDENTIAL, path, after), ours=ours) in {
                Status.INVALID,
                Status.UNKNOWN_ISSUER,
            }, path


SHAPES: dict[str, Callable[[Json], object]] = {
    "an extra member": lambda c: c.update(evidence=[]),
    "an extra member inside": lambda c: c["credentialSubject"].update(email="x@y.example"),
    "validUntil re-keyed to its IRI": lambda c: c.update(
        {"https://www.w3.org/2018/credentials#validUntil": c.pop("validUntil")}
    ),
    "credentialStatus re-keyed to its IRI": lambda c: c.update(
        {"https://www.w3.org/2018/credentials#credentialStatus": c.pop("credentialStatus")}
    ),
    "a scalar as an array": lambda c: c.update(name=[c["name"]]),
    "an array as a scalar": lambda c: c["issuer"].update(type="Profile"),
    "an inline context": lambda c: c["@context"].append({"validUntil": "https://example.org/x"}),
    "a third context": lambda c: c["@context"].append("https://example.org/x"),
    "contexts in another order": lambda c: c["@context"].reverse(),
    "types in another order": lambda c: c["type"].reverse(),
    "@graph": lambda c: c.update({"@graph": []}),
    "@included": lambda c: c["credentialSubject"].update({"@included": []}),
    "a blank node id": lambda c: c.update(id="_:b0"),
    "a blank node subject": lambda c: c["credentialSubject"].update(id="_:b0"),
    "an id with a line feed after it": lambda c: c.update(id=c["id"] + "\n"),
    "an issuer that is a text": lambda c: c.update(issuer=ISSUER.did),
    "two jcs proofs": lambda c: c["proof"].append(c["proof"][0]),
    "statuses in another order": lambda c: c["credentialStatus"].reverse(),
    "a status id that names another place": lambda c: c["credentialStatus"][0].update(
        id=f"{REVOCATIONS}#1"
    ),
    "an index with a leading zero": lambda c: c["credentialStatus"][0].update(
        statusListIndex="04711", id=f"{REVOCATIONS}#04711"
    ),
    "a month 13": lambda c: c.update(validUntil="2029-13-24T00:00:00+07:00"),
    "a plain http list": lambda c: c["credentialStatus"][0].update(
        statusListCredential="http://sertifikat.example/l/r7Qe",
        id="http://sertifikat.example/l/r7Qe#4711",
    ),
}


@pytest.mark.scenario("C3/shapes")
@pytest.mark.parametrize("attack", SHAPES)
def test_another_shape_is_refused_by_the_schema_within_50_ms_even_when_it_is_signed(
    attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked = changed(SHAPES[attack])
    signed = (
        ISSUER.sign({name: value for name, value in attacked.items() if name != "proof"})
        if "proof" not in attack and "issuer" not in attack
        else attacked
    )

    def canonicalised(*_: object) -> bool:
        pytest.fail("it was canonicalised")

    monkeypatch.setattr(proof, "is_valid", canonicalised)
    began = time.process_time()
    result = verify(signed, ISSUER.trusted(), ISSUER.lists(), stored(CREDENTIAL), NOW)
    assert time.process_time() - began < 0.05
    assert result.status is (Status.UNKNOWN_ISSUER if "issuer" in attack else Status.INVALID)
    assert result.checks["proof"] is Check.SKIPPED


@pytest.mark.scenario("C3/shapes")
def test_a_clique_of_blank_nodes_costs_no_time_for_it_is_never_canonicalised() -> None:
    clique = [
        {"id": f"_:b{one}", "knows": [{"id": f"_:b{other}"} for other in range(7) if other != one]}
        for one in range(7)
    ]
    began = time.process_time()
    assert said(CREDENTIAL | {"@graph": clique}) is Status.INVALID
    assert time.process_time() - began < 0.05


def test_an_issuer_that_nobody_listed_is_unknown_and_nothing_else_is_looked_at() -> None:
    result = verify(OTHER.certificate(), None, {}, None, NOW)
    assert result.status is Status.UNKNOWN_ISSUER
    assert result.checks == {"trust": Check.FAILED} | dict.fromkeys(STEPS[1:], Check.SKIPPED)


@pytest.mark.scenario("C11/rules")
def test_a_certificate_that_another_did_or_another_key_signed_in_our_name_is_invalid() -> None:
    ours = document.build_certificate(CERTIFIED)
    stranger = Issuer(keys=dict(ISSUER.keys) | {"key-2026": OTHER.keys["key-2026"]})
    assert said(OTHER.sign(ours)) is Status.INVALID
    assert said(stranger.sign(ours)) is Status.INVALID
    assert said(ISSUER.sign(ours, "status-2026")) is Status.INVALID
    assert said(ISSUER.sign(ours, "key-2026", method=f"{ISSUER.did}#key-2027")) is Status.INVALID


@pytest.mark.scenario("C11/rules")
def test_a_licence_that_had_ended_or_does_not_cover_the_scheme_makes_it_invalid() -> None:
    assert (
        said(
            ISSUER.certificate(
                valid_from=NOW.replace(year=2024), valid_until=NOW.replace(year=2027)
            )
        )
        is Status.INVALID
    )
    assert said(ISSUER.certificate(scheme_ref="las-smaw")) is Status.INVALID


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        {"id": "did:web:other.example:i:x"},
        OTHER.document(),
        {"id": ISSUER.did, "verificationMethod": "x", "assertionMethod": []},
    ],
)
def test_a_did_document_that_is_missing_or_somebody_elses_lets_nobody_say(
    found: Json | None,
) -> None:
    issuer = ISSUER.trusted()
    result = verify(
        CREDENTIAL,
        type(issuer)(did=issuer.did, document=found, licences=issuer.licences, is_ours=False),
        ISSUER.lists(),
        None,
        NOW,
    )
    assert (result.status, result.checks["proof"]) == (Status.INDETERMINATE, Check.UNKNOWN)


def test_a_key_taken_out_of_assertion_method_makes_its_certificates_invalid_whatever_dates_it_carries() -> (
    None
):
    issuer, found = ISSUER.trusted(), ISSUER.document()
    found["assertionMethod"].remove(f"{ISSUER.did}#key-2026")
    assert (
        verify(
            CREDENTIAL,
            type(issuer)(did=issuer.did, document=found, licences=issuer.licences, is_ours=False),
            ISSUER.lists(),
            None,
            NOW,
        ).status
        is Status.INVALID
    )


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (CERTIFIED.valid_from - timedelta(seconds=1), Status.NOT_YET_VALID),
        (CERTIFIED.valid_from, Status.VALID),
        (CERTIFIED.valid_until - timedelta(seconds=1), Status.VALID),
        (CERTIFIED.valid_until, Status.EXPIRED),
    ],
)
def test_it_holds_from_its_first_second_until_just_before_its_last(
    moment: Any, expected: Status
) -> None:
    lists = {
        REVOCATIONS: FetchedList(
            document=ISSUER.status_list(
                REVOCATION, "revocation", tick=moment - timedelta(minutes=1)
            )
        ),
        SUSPENSIONS: FetchedList(
            document=ISSUER.status_list(
                SUSPENSION, "suspension", tick=moment - timedelta(minutes=1)
            )
        ),
    }
    assert verify(CREDENTIAL, ISSUER.trusted(), lists, None, moment).status is expected


def test_a_raised_bit_revokes_or_suspends_and_revoked_comes_first() -> None:
    assert said(CREDENTIAL, lists=ISSUER.lists(revoked=(4711,))) is Status.REVOKED
    assert said(CREDENTIAL, lists=ISSUER.lists(suspended=(815,))) is Status.SUSPENDED
    assert said(CREDENTIAL, lists=ISSUER.lists(revoked=(4711,), suspended=(815,))) is Status.REVOKED
    assert (
        said(CREDENTIAL, lists=ISSUER.lists(revoked=(815, 4710, 4712), suspended=(4711,)))
        is Status.VALID
    )


def test_a_revocation_that_can_be_read_is_told_though_the_other_list_cannot() -> None:
    lists = ISSUER.lists(revoked=(4711,))
    result = verify(CREDENTIAL, ISSUER.trusted(), {REVOCATIONS: lists[REVOCATIONS]}, None, NOW)
    assert (result.status, result.checks["status"]) == (Status.REVOKED, Check.FAILED)


def gzipped(data: bytes) -> str:
    """An encoded list of these bytes."""
    return multibase.encode_base64url(gzip.compress(data))


def forged_bits() -> Json:
    found = ISSUER.status_list(REVOCATION, "revocation", (4711,))
    found["credentialSubject"]["encodedList"] = bits.encode(())
    return found


LIST_ATTACKS: dict[str, Callable[[], Json | None]] = {
    "forged bits": forged_bits,
    "signed by another DID": lambda: OTHER.sign(
        {k: v for k, v in ISSUER.status_list(REVOCATION, "revocation").items() if k != "proof"},
        "status-2026",
    ),
    "of another DID": lambda: OTHER.status_list(REVOCATION, "revocation"),
    "of the other purpose": lambda: ISSUER.status_list(REVOCATION, "suspension"),
    "signed by a certificate key": lambda: ISSUER.status_list(
        REVOCATION, "revocation", key="key-2026"
    ),
    "past validUntil": lambda: ISSUER.status_list(
        REVOCATION, "revocation", tick=NOW - timedelta(hours=24)
    ),
    "from tomorrow": lambda: ISSUER.status_list(
        REVOCATION, "revocation", tick=NOW + timedelta(minutes=1)
    ),
    "of another URL": lambda: ISSUER.status_list("other", "revocation"),
    "unreachable": lambda: None,
    "an empty object": dict,
    "too short": lambda: ISSUER.status_list(REVOCATION, "revocation", encoded=gzipped(bytes(1024))),
    "a gzip bomb": lambda: ISSUER.status_list(
        REVOCATION, "revocation", encoded=gzipped(bytes(20 * 1024 * 1024))
    ),
    "not gzip": lambda: ISSUER.status_list(REVOCATION, "revocation", encoded="uAAAA"),
    "cut off": lambda: ISSUER.status_list(
        REVOCATION,
        "revocation",
        encoded=multibase.encode_base64url(multibase.decode_base64url(bits.encode(()))[:-9]),
    ),
}


@pytest.mark.scenario("C6/lists")
@pytest.mark.parametrize("attack", LIST_ATTACKS)
def test_a_list_that_is_not_as_it_must_be_lets_nobody_say_valid(attack: str) -> None:
    result = verify(
        CREDENTIAL,
        ISSUER.trusted(),
        ISSUER.lists() | {REVOCATIONS: FetchedList(document=LIST_ATTACKS[attack]())},
        None,
        NOW,
    )
    assert (result.status, result.checks["status"]) == (Status.INDETERMINATE, Check.UNKNOWN)


@pytest.mark.scenario("C6/lists")
def test_an_older_list_than_one_seen_before_is_a_replay() -> None:
    older = FetchedList(
        document=ISSUER.status_list(REVOCATION, "revocation"),
        newest_seen=NOW - timedelta(minutes=1),
    )
    assert said(CREDENTIAL, lists=ISSUER.lists() | {REVOCATIONS: older}) is Status.INDETERMINATE


@pytest.mark.scenario("C6/lists")
def test_an_index_outside_the_list_and_a_list_on_another_host_let_nobody_say_valid() -> None:
    outside = ISSUER.certificate(revocation=document.StatusSlot(list_id=REVOCATION, index=131_072))
    assert said(outside) is Status.INDETERMINATE
    elsewhere = document.build_certificate(CERTIFIED)
    elsewhere["credentialStatus"][0].update(
        statusListCredential="https://other.example/l/r7Qe", id="https://other.example/l/r7Qe#4711"
    )
    there = {"https://other.example/l/r7Qe": ISSUER.lists()[REVOCATIONS]}
    assert said(ISSUER.sign(elsewhere), lists=ISSUER.lists() | there) is Status.INDETERMINATE


@pytest.mark.parametrize(
    "status", [Status.REPLACED, Status.REVOKED, Status.SUSPENDED, Status.WITHDRAWN]
)
def test_what_our_store_says_wins_over_the_lists(status: Status) -> None:
    result = verify(
        CREDENTIAL, ISSUER.trusted(ours=True), ISSUER.lists(), stored(CREDENTIAL, status), NOW
    )
    assert (result.status, result.status_as_of) == (status, NOW)
    assert (
        verify(
            CREDENTIAL,
            ISSUER.trusted(ours=True),
            ISSUER.lists(suspended=(815,)),
            stored(CREDENTIAL),
            NOW,
        ).status
        is Status.VALID
    )
    assert (result.name is None) == (status is Status.WITHDRAWN)


def test_a_certificate_under_our_key_that_our_store_does_not_know_or_knows_otherwise_is_forged() -> (
    None
):
    assert (
        verify(CREDENTIAL, ISSUER.trusted(ours=True), ISSUER.lists(), None, NOW).status
        is Status.INVALID
    )
    back_dated = ISSUER.certificate(name="Orang Lain")
    result = verify(back_dated, ISSUER.trusted(ours=True), ISSUER.lists(), stored(CREDENTIAL), NOW)
    assert (result.status, result.checks["proof"], result.checks["digest"], result.name) == (
        Status.INVALID,
        Check.PASSED,
        Check.FAILED,
        None,
    )


def test_what_is_said_of_any_object_at_all_is_said_without_an_error() -> None:
    for text in (
        "{}",
        '{"issuer": 1}',
        '{"issuer": {"id": []}, "credentialStatus": 3}',
        '{"proof": [[]]}',
        '{"issuer": null, "credentialStatus": [1, {}]}',
    ):
        assert (
            verify(json.loads(text), ISSUER.trusted(), {}, None, NOW).status
            is Status.UNKNOWN_ISSUER
        )
