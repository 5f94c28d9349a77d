"""What a verifier that others wrote says of our certificates and lists, offline (certification 5.3). The pinned npm set is installed once into its own folder."""

from __future__ import annotations

import fcntl
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.certification.certificates.rules import end_of_validity, start_of_validity
from services.certification.credentials import document
from services.certification.statuslists import bits
from tests.certification.factories import ORIGIN, REVOCATION, SUSPENSION, Issuer

Json = dict[str, Any]
PLACE = Path(__file__).with_name("independent")
NOW = datetime.now(UTC).replace(microsecond=0)
YESTERDAY = (NOW - timedelta(days=1)).date()
OURS, OTHER = Issuer(), Issuer(slug="teknik-mandiri")
DATES: Json = {
    "valid_from": start_of_validity(YESTERDAY),
    "valid_until": end_of_validity(YESTERDAY, 36),
}
CREDENTIAL = OURS.certificate(**DATES)


def around(
    *,
    revoked: tuple[int, ...] = (),
    suspended: tuple[int, ...] = (),
    credential: Json | None = None,
    did: Json | None = None,
    lists: Json | None = None,
) -> Json:
    """One case: the certificate and what the verifier can load."""
    tick = NOW - timedelta(minutes=1)
    ours = {
        document.list_url(ORIGIN, REVOCATION): OURS.status_list(
            REVOCATION, "revocation", revoked, tick=tick
        ),
        document.list_url(ORIGIN, SUSPENSION): OURS.status_list(
            SUSPENSION, "suspension", suspended, tick=tick
        ),
    }
    return {
        "credential": CREDENTIAL if credential is None else credential,
        "did": did or OURS.document(),
        "lists": ours | (lists or {}),
    }


def without(name: str) -> Json:
    return {member: value for member, value in CREDENTIAL.items() if member != name}


def with_proof(**changed: str) -> Json:
    return CREDENTIAL | {"proof": [CREDENTIAL["proof"][0] | changed]}


def no_key() -> Json:
    found = OURS.document()
    found["assertionMethod"].remove(f"{OURS.did}#key-2026")
    return found


def list_of(issuer: Issuer, *, forged: bool = False) -> Json:
    """A revocation list at our address, signed by this issuer; forged: with the bits of another."""
    unsigned = {
        name: value
        for name, value in OURS.status_list(
            REVOCATION, "revocation", (4711,), tick=NOW - timedelta(minutes=1)
        ).items()
        if name != "proof"
    }
    signed = issuer.sign(unsigned, "status-2026")
    if forged:
        signed["credentialSubject"] = signed["credentialSubject"] | {"encodedList": bits.encode(())}
    return {document.list_url(ORIGIN, REVOCATION): signed}


REFUSED = {
    "a changed field": around(credential=CREDENTIAL | {"name": CREDENTIAL["name"] + "x"}),
    "a changed moment of proof": around(credential=with_proof(created="2026-01-01T00:00:00Z")),
    "an unknown key": around(credential=with_proof(verificationMethod=f"{OURS.did}#key-2031")),
    "no proof": around(credential=without("proof")),
    "no status": around(credential=without("credentialStatus")),
    "signed by another": around(credential=OTHER.sign(without("proof"))),
    "expired": around(
        credential=OURS.certificate(
            valid_from=NOW - timedelta(days=900), valid_until=NOW - timedelta(days=1)
        )
    ),
    "the key was removed": around(did=no_key()),
    "a list with forged bits": around(lists=list_of(OURS, forged=True)),
    "a list signed by another": around(lists=list_of(OTHER)),
    "a list that cannot be loaded": around(
        credential=OURS.certificate(
            **DATES, revocation=document.StatusSlot(list_id="gone", index=1)
        )
    ),
}
CASES = REFUSED | {
    "genuine": around(),
    "revoked": around(revoked=(4711,)),
    "suspended": around(suspended=(815,)),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """What the verifier says of each case."""
    with (tmp_path_factory.getbasetemp().parent / "independent.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (PLACE / "node_modules" / ".package-lock.json").exists():
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607 - found in PATH
                cwd=PLACE,
                check=True,
                capture_output=True,
            )
    answer = subprocess.run(
        ["node", "verify.mjs"],  # noqa: S607 - found in PATH
        cwd=PLACE,
        input=json.dumps({"cases": CASES}),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.needs("node", "npm")
@pytest.mark.scenario("C1/jcs")
def test_an_independent_verifier_accepts_a_certificate_and_its_two_lists(said: Json) -> None:
    assert said["genuine"] == {
        "verified": True,
        "statuses": {"revocation": False, "suspension": False},
    }


@pytest.mark.needs("node", "npm")
@pytest.mark.scenario("C4/digitalbazaar")
def test_a_raised_bit_is_reported_as_a_status_while_the_document_stays_verified(said: Json) -> None:
    assert said["revoked"] == {
        "verified": True,
        "statuses": {"revocation": True, "suspension": False},
    }
    assert said["suspended"] == {
        "verified": True,
        "statuses": {"revocation": False, "suspension": True},
    }


@pytest.mark.needs("node", "npm")
@pytest.mark.scenario("C1/jcs")
@pytest.mark.parametrize("case", REFUSED)
def test_an_independent_verifier_refuses_what_we_refuse(said: Json, case: str) -> None:
    assert said[case]["verified"] is False
