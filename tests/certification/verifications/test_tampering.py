"""Verification of documents that were changed, or that have another shape."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies

from services.certification.credentials import multibase, proof
from services.certification.verifications.rules import CheckResult, VerificationStatus, verify
from tests.certification.credentials.factories import (
    NOW,
    REVOCATION_URL,
    Issuer,
    Json,
    stored,
    without,
)

ISSUER = Issuer()
CREDENTIAL = ISSUER.certificate()
Change = Callable[[Json], object]


def status_of(document: Json, *, is_ours: bool = False) -> VerificationStatus:
    """Return the status now, by our own verifier or by another one."""
    trusted = ISSUER.trusted(is_ours=is_ours)
    return verify(document, trusted, ISSUER.lists(), stored(CREDENTIAL), NOW).status


def changed(change: Change) -> Json:
    """Return a copy of the credential after this change."""
    copied = copy.deepcopy(CREDENTIAL)
    change(copied)
    return copied


def identifier(credential: Json) -> Json:
    return credential["credentialSubject"]["identifier"][0]


def achievement(credential: Json) -> Json:
    return credential["credentialSubject"]["achievement"]


TAMPERED: dict[str, Change] = {
    "name": lambda c: identifier(c).update(identityHash="Muhammad Syahrul Ramadham"),
    "scheme": lambda c: achievement(c).update(
        name="Pemasangan Instalasi Listrik Bangunan Sederhans"
    ),
    "unit code": lambda c: achievement(c)["alignment"][0].update(targetCode="F.432111.001.03"),
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
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_changed_character_or_a_missing_member_is_invalid(
    where: str,
    is_ours: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    tampered = changed(TAMPERED[where])
    assert status_of(tampered, is_ours=is_ours) is VerificationStatus.INVALID


@pytest.mark.scenario("C2/tampering")
def test_proofs_swapped_between_two_certificates_are_invalid() -> None:
    other = ISSUER.certificate(id="5b0c7c53-1a5f-4e35-9d0a-0a4f0b7b1c22")
    for swapped in (
        CREDENTIAL | {"proof": other["proof"]},
        other | {"proof": CREDENTIAL["proof"]},
    ):
        assert status_of(swapped) is VerificationStatus.INVALID


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all leaves of a document."""
    if isinstance(value, dict):
        for name, inner in cast("Json", value).items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def value_at(document: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at this path."""
    for key in path:
        document = document[key]
    return document


def with_value(path: tuple[Any, ...], value: Any) -> Json:
    """Return a copy of the credential with another value at this path."""
    copied = copy.deepcopy(CREDENTIAL)
    value_at(copied, path[:-1])[path[-1]] = value
    return copied


def flipped(value: Any, position: int) -> Any:
    """Return the value with one bit of one letter changed, or a boolean negated."""
    if not isinstance(value, str):
        return not value
    index = position % len(value)
    letter = chr(ord(value[index]) ^ 1)
    return value[:index] + letter + value[index + 1 :]


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
    position=strategies.integers(0, 200),
    is_ours=strategies.booleans(),
)
def test_no_single_changed_leaf_is_valid(
    path: tuple[Any, ...],
    value: Any,
    position: int,
    is_ours: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    before = value_at(CREDENTIAL, path)
    refused = {VerificationStatus.INVALID, VerificationStatus.UNKNOWN_ISSUER}
    for after in (value, flipped(before, position)):
        is_changed = after != before or type(after) is not type(before)
        if is_changed:
            assert status_of(with_value(path, after), is_ours=is_ours) in refused, path


SHAPES: dict[str, Change] = {
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
    "a status id that names another slot": lambda c: c["credentialStatus"][0].update(
        id=f"{REVOCATION_URL}#1"
    ),
    "an index with a leading zero": lambda c: c["credentialStatus"][0].update(
        statusListIndex="04711", id=f"{REVOCATION_URL}#04711"
    ),
    "a month 13": lambda c: c.update(validUntil="2029-13-24T00:00:00+07:00"),
    "a plain http list": lambda c: c["credentialStatus"][0].update(
        statusListCredential="http://sertifikat.example/l/r7Qe",
        id="http://sertifikat.example/l/r7Qe#4711",
    ),
}


@pytest.mark.scenario("C3/shapes")
@pytest.mark.parametrize("attack", SHAPES)
def test_another_shape_is_refused_within_50_ms_even_when_it_is_signed(
    attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema refuses it before anything is canonicalised."""
    attacked = changed(SHAPES[attack])
    has_own_proof = "proof" in attack or "issuer" in attack
    document = attacked if has_own_proof else ISSUER.sign(without(attacked, "proof"))

    def fail(*_: object) -> bool:
        pytest.fail("it was canonicalised")

    monkeypatch.setattr(proof, "is_valid", fail)
    started = time.process_time()
    result = verify(document, ISSUER.trusted(), ISSUER.lists(), stored(CREDENTIAL), NOW)
    assert time.process_time() - started < 0.05
    expected = VerificationStatus.INVALID
    if "issuer" in attack:
        expected = VerificationStatus.UNKNOWN_ISSUER
    assert result.status is expected
    assert result.checks["proof"] is CheckResult.SKIPPED


@pytest.mark.scenario("C3/shapes")
def test_a_clique_of_blank_nodes_costs_no_time() -> None:
    """It is never canonicalised."""
    clique: list[Json] = []
    for number in range(7):
        others = [other for other in range(7) if other != number]
        clique.append({"id": f"_:b{number}", "knows": [{"id": f"_:b{other}"} for other in others]})
    started = time.process_time()
    assert status_of(CREDENTIAL | {"@graph": clique}) is VerificationStatus.INVALID
    assert time.process_time() - started < 0.05
