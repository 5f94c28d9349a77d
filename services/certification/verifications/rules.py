"""What is allowed: when a certificate holds. The pipeline of certification 5.1 from its second step on; the first one is `credentials.reading`.

Fails closed: what cannot be read is never 'valid'. Nothing uploaded reaches a JSON-LD processor, and nothing is resolved for an unknown issuer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, cast

from services.certification.credentials import did, multibase, proof, shape
from services.certification.lsps.rules import Licence
from services.certification.statuslists.rules import FetchedList, accept_list

WESTERN_INDONESIA = timezone(timedelta(hours=7))
Json = dict[str, Any]


class Status(StrEnum):
    """What is said of a certificate, in the order in which the first that applies is reported."""

    UNKNOWN_ISSUER = "unknown_issuer"
    INVALID = "invalid"
    REPLACED = "replaced"
    REVOKED = "revoked"
    INDETERMINATE = "indeterminate"
    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    VALID = "valid"


class Check(StrEnum):
    """How one step of the verification came out."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


STEPS = ("trust", "schema", "proof", "issuer", "dates", "status", "digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer on the trust list. `document` is its DID document (None = unobtainable); `ours` when our store knows all its certificates."""

    did: str
    document: Json | None
    licences: tuple[Licence, ...]
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    """What our store knows of a certificate: the digest of what was signed, and what became of it (`valid` while nothing did)."""

    digest: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """The answer. What the certificate says is there only when its proof holds; the name never after withdrawal."""

    status: Status
    checks: Mapping[str, Check]
    status_as_of: datetime | None = None
    scheme: str | None = None
    units: tuple[tuple[str, str], ...] = ()
    issuer_name: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    name: str | None = None


@dataclass(slots=True)
class _Findings:
    """What was found so far."""

    checks: dict[str, Check] = field(default_factory=lambda: dict.fromkeys(STEPS, Check.SKIPPED))
    statuses: list[Status] = field(default_factory=list[Status])
    as_of: datetime | None = None

    def pass_step(self, step: str) -> None:
        self.checks[step] = Check.PASSED

    def fail_step(self, step: str, check: Check, status: Status) -> None:
        self.checks[step] = check
        self.statuses.append(status)

    def to_result(self) -> VerificationResult:
        first = next((status for status in Status if status in self.statuses), Status.VALID)
        return VerificationResult(status=first, checks=self.checks, status_as_of=self.as_of)


def verify(
    document: Json,
    issuer: TrustedIssuer | None,
    lists: Mapping[str, FetchedList],
    stored: StoredCertificate | None,
    now: datetime,
) -> VerificationResult:
    """What can be said of this document at `now`. `lists` are the readings by URL, `stored` is our record of its id."""
    findings = _Findings()
    if issuer is None or _claimed_issuer(document) != issuer.did:
        findings.fail_step("trust", Check.FAILED, Status.UNKNOWN_ISSUER)
        return findings.to_result()
    findings.pass_step("trust")
    shaped = shape.parse_credential(document)
    if shaped is None:
        findings.fail_step("schema", Check.FAILED, Status.INVALID)
        return findings.to_result()
    findings.pass_step("schema")
    keys = did.assertion_keys(issuer.document, issuer.did)
    if not _proof_holds(document, shaped, keys, findings):
        return findings.to_result()
    _check_issuer(shaped, issuer, findings)
    _check_dates(shaped, now, findings)
    _check_lists(shaped, issuer, keys or {}, lists, now, findings)
    if issuer.is_ours:
        _check_store(document, stored, now, findings)
    return _add_content(findings.to_result(), shaped)


def read_claims(document: Json) -> tuple[str, str, tuple[str, ...]]:
    """The issuer, the id and the list URLs that a document of any shape names; empty where it names none."""
    entries: object = document.get("credentialStatus")
    urls = (
        [_read_text(entry, "statusListCredential") for entry in cast("list[object]", entries)[:2]]
        if isinstance(entries, list)
        else []
    )
    return _claimed_issuer(document), _read_text(document, "id"), tuple(url for url in urls if url)


def _claimed_issuer(document: Json) -> str:
    return _read_text(document.get("issuer"), "id")


def _read_text(value: object, member: str) -> str:
    found = cast("Json", value).get(member) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _proof_holds(
    document: Json, shaped: shape.Credential, keys: Mapping[str, str] | None, findings: _Findings
) -> bool:
    if keys is None:
        findings.fail_step("proof", Check.UNKNOWN, Status.INDETERMINATE)
        return False
    method = shaped.proof[0].verification_method
    try:
        holds = (
            method in keys
            and "#key-" in method
            and proof.is_valid(document, document["proof"][0], keys[method])
        )
    except multibase.NotMultibase:
        findings.fail_step("proof", Check.UNKNOWN, Status.INDETERMINATE)
        return False
    if not holds:
        findings.fail_step("proof", Check.FAILED, Status.INVALID)
        return False
    findings.pass_step("proof")
    return True


def _check_issuer(shaped: shape.Credential, issuer: TrustedIssuer, findings: _Findings) -> None:
    """The key's DID is the issuer's, and the licence covered the scheme on the day the certificate began."""
    day = datetime.fromisoformat(shaped.valid_from).astimezone(WESTERN_INDONESIA).date()
    scheme_ref = shaped.credential_subject.achievement.id.split("/")[-2]
    covered = any(
        licence.valid_from <= day <= licence.valid_until and scheme_ref in licence.scheme_refs
        for licence in issuer.licences
    )
    if covered and shaped.proof[0].verification_method.partition("#")[0] == issuer.did:
        findings.pass_step("issuer")
    else:
        findings.fail_step("issuer", Check.FAILED, Status.INVALID)


def _check_dates(shaped: shape.Credential, now: datetime, findings: _Findings) -> None:
    valid_from, valid_until = (
        datetime.fromisoformat(shaped.valid_from),
        datetime.fromisoformat(shaped.valid_until),
    )
    if valid_until <= valid_from:
        findings.fail_step("dates", Check.FAILED, Status.INVALID)
    elif now >= valid_until:
        findings.fail_step("dates", Check.FAILED, Status.EXPIRED)
    elif now < valid_from:
        findings.fail_step("dates", Check.FAILED, Status.NOT_YET_VALID)
    else:
        findings.pass_step("dates")


_STATUS_BY_PURPOSE = {"revocation": Status.REVOKED, "suspension": Status.SUSPENDED}


def _check_lists(
    shaped: shape.Credential,
    issuer: TrustedIssuer,
    keys: Mapping[str, str],
    lists: Mapping[str, FetchedList],
    now: datetime,
    findings: _Findings,
) -> None:
    for entry in shaped.credential_status:
        url = entry.status_list_credential
        found = accept_list(
            lists.get(url),
            url=url,
            purpose=entry.status_purpose,
            issuer=issuer.did,
            keys=keys,
            now=now,
        )
        raised = found.is_raised(int(entry.status_list_index)) if found else None
        if found:
            findings.as_of = min(findings.as_of or found.valid_from, found.valid_from)
        if raised:
            findings.fail_step("status", Check.FAILED, _STATUS_BY_PURPOSE[entry.status_purpose])
        elif raised is None:
            findings.fail_step(
                "status",
                Check.FAILED if findings.checks["status"] is Check.FAILED else Check.UNKNOWN,
                Status.INDETERMINATE,
            )
    if findings.checks["status"] is Check.SKIPPED:
        findings.pass_step("status")


def _check_store(
    document: Json, stored: StoredCertificate | None, now: datetime, findings: _Findings
) -> None:
    """Our own record: an unknown id or another digest under our key is a forgery; what the store says of the status wins over the lists."""
    if stored is None or stored.digest != proof.digest(document):
        findings.fail_step("digest", Check.FAILED, Status.INVALID)
        return
    findings.pass_step("digest")
    findings.statuses = [
        status
        for status in findings.statuses
        if status not in {Status.REVOKED, Status.SUSPENDED, Status.INDETERMINATE}
    ]
    findings.as_of = now
    if stored.status is Status.VALID:
        findings.pass_step("status")
    else:
        findings.fail_step("status", Check.FAILED, stored.status)


def _add_content(result: VerificationResult, shaped: shape.Credential) -> VerificationResult:
    if result.status is Status.INVALID:
        return result
    achievement = shaped.credential_subject.achievement
    return replace(
        result,
        scheme=achievement.name,
        units=tuple(
            (alignment.target_code, alignment.target_name) for alignment in achievement.alignment
        ),
        issuer_name=shaped.issuer.name,
        valid_from=datetime.fromisoformat(shaped.valid_from),
        valid_until=datetime.fromisoformat(shaped.valid_until),
        name=None
        if result.status is Status.WITHDRAWN
        else shaped.credential_subject.identifier[0].identity_hash,
    )
