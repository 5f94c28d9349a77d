"""An independent verifier checks our certificates and lists, offline (certification 5.3).

The pinned npm packages are installed once into their own folder.
"""

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
from tests.certification.credentials.factories import (
    REVOCATION_INDEX,
    REVOCATION_URL,
    SUSPENSION_INDEX,
    SUSPENSION_URL,
    Issuer,
    without,
)

Json = dict[str, Any]
FOLDER = Path(__file__).with_name("independent")
NOW = datetime.now(UTC).replace(microsecond=0)
TICK = NOW - timedelta(minutes=1)
YESTERDAY = (NOW - timedelta(days=1)).date()
ISSUER = Issuer()
OTHER_ISSUER = Issuer(slug="teknik-mandiri")
DATES: Json = {
    "valid_from": start_of_validity(YESTERDAY),
    "valid_until": end_of_validity(YESTERDAY, 36),
}
CREDENTIAL = ISSUER.certificate(**DATES)


def case(
    *,
    revoked: tuple[int, ...] = (),
    suspended: tuple[int, ...] = (),
    credential: Json | None = None,
    did_document: Json | None = None,
    revocation_list: Json | None = None,
) -> Json:
    """Return one case: the certificate, and what the verifier can load."""
    lists = {
        REVOCATION_URL: revocation_list or ISSUER.revocation_list(revoked, tick=TICK),
        SUSPENSION_URL: ISSUER.suspension_list(suspended, tick=TICK),
    }
    return {
        "credential": CREDENTIAL if credential is None else credential,
        "did": did_document or ISSUER.did_document(),
        "lists": lists,
    }


def with_proof(**changed: str) -> Json:
    return CREDENTIAL | {"proof": [CREDENTIAL["proof"][0] | changed]}


def did_document_without_key() -> Json:
    did_document = ISSUER.did_document()
    did_document["assertionMethod"].remove(f"{ISSUER.did}#key-2026")
    return did_document


def revocation_list_signed_by(issuer: Issuer) -> Json:
    """Return the revocation list at our address, signed by this issuer."""
    unsigned = without(ISSUER.revocation_list((REVOCATION_INDEX,), tick=TICK), "proof")
    return issuer.sign(unsigned, "status-2026")


def revocation_list_with_forged_bits() -> Json:
    """Return the signed revocation list with the bits of another list."""
    forged = revocation_list_signed_by(ISSUER)
    subject = forged["credentialSubject"] | {"encodedList": bits.encode(())}
    return forged | {"credentialSubject": subject}


UNKNOWN_LIST = document.StatusSlot(list_id="gone", index=1)
EXPIRED_DATES: Json = {
    "valid_from": NOW - timedelta(days=900),
    "valid_until": NOW - timedelta(days=1),
}
REFUSED = {
    "a changed field": case(credential=CREDENTIAL | {"name": CREDENTIAL["name"] + "x"}),
    "a changed moment of proof": case(credential=with_proof(created="2026-01-01T00:00:00Z")),
    "an unknown key": case(credential=with_proof(verificationMethod=f"{ISSUER.did}#key-2031")),
    "no proof": case(credential=without(CREDENTIAL, "proof")),
    "no status": case(credential=without(CREDENTIAL, "credentialStatus")),
    "signed by another": case(credential=OTHER_ISSUER.sign(without(CREDENTIAL, "proof"))),
    "expired": case(credential=ISSUER.certificate(**EXPIRED_DATES)),
    "the key was removed": case(did_document=did_document_without_key()),
    "a list with forged bits": case(revocation_list=revocation_list_with_forged_bits()),
    "a list signed by another": case(revocation_list=revocation_list_signed_by(OTHER_ISSUER)),
    "a list that cannot be loaded": case(
        credential=ISSUER.certificate(**DATES, revocation=UNKNOWN_LIST)
    ),
}
CASES = REFUSED | {
    "genuine": case(),
    "revoked": case(revoked=(REVOCATION_INDEX,)),
    "suspended": case(suspended=(SUSPENSION_INDEX,)),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """Return the independent verifier's answer to each case."""
    with (tmp_path_factory.getbasetemp().parent / "independent.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (FOLDER / "node_modules" / ".package-lock.json").exists():
            subprocess.run(
                # Found in PATH.
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607
                cwd=FOLDER,
                check=True,
                capture_output=True,
            )
    answer = subprocess.run(
        ["node", "verify.mjs"],  # noqa: S607 - found in PATH
        cwd=FOLDER,
        input=json.dumps({"cases": CASES}),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.needs("node", "npm")
@pytest.mark.scenario("C1/jcs")
def test_an_independent_verifier_accepts_a_certificate_and_its_two_lists(answers: Json) -> None:
    assert answers["genuine"] == {
        "verified": True,
        "statuses": {"revocation": False, "suspension": False},
    }


@pytest.mark.needs("node", "npm")
@pytest.mark.scenario("C4/digitalbazaar")
def test_a_raised_bit_is_a_status_and_the_document_stays_verified(answers: Json) -> None:
    assert answers["revoked"] == {
        "verified": True,
        "statuses": {"revocation": True, "suspension": False},
    }
    assert answers["suspended"] == {
        "verified": True,
        "statuses": {"revocation": False, "suspension": True},
    }


@pytest.mark.needs("node", "npm")
@pytest.mark.scenario("C1/jcs")
@pytest.mark.parametrize("case_name", REFUSED)
def test_an_independent_verifier_refuses_what_we_refuse(answers: Json, case_name: str) -> None:
    assert answers[case_name]["verified"] is False
