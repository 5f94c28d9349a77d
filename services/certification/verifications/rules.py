"""Rules of verification: the steps of certification 5.1, from the second on.

It fails closed: what cannot be read is never `valid`. No uploaded document reaches a JSON-LD
processor, and nothing is resolved for an unknown issuer.
Not here: the first step, which parses the upload (credentials/reading).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from services.certification.credentials import did, multibase, proof, shape
from services.certification.credentials.document import WESTERN_INDONESIA
from services.certification.lsps.rules import Licence
from services.certification.statuslists.rules import AcceptedList, FetchedList, accept_list

Json = dict[str, Any]


class VerificationStatus(StrEnum):
    """The status of a certificate. The order is that of precedence: the first one is reported."""

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


class CheckResult(StrEnum):
    """The result of one step of the verification."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


STEPS = ("trust", "schema", "proof", "issuer", "dates", "status", "digest")
_STATUS_BY_PURPOSE = {
    "revocation": VerificationStatus.REVOKED,
    "suspension": VerificationStatus.SUSPENDED,
}
_STATUSES_OF_LISTS = frozenset(
    {
        VerificationStatus.REVOKED,
        VerificationStatus.SUSPENDED,
        VerificationStatus.INDETERMINATE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """An issuer on the trust list.

    `document` is its DID document (None = unobtainable). `is_ours` when our store knows all its
    certificates; a verifier with files alone has no store.
    """

    did: str
    document: Json | None
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    """Our record of a certificate: the digest of the signed document, its key and its status.

    The status is `valid` as long as the certificate is neither suspended nor revoked. `licence` is
    the one under which it was issued: a later correction at the LSP changes no result.
    """

    digest: str
    key_name: str
    licence: Licence | None
    status: VerificationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationResult:
    """The result of a verification.

    It contains the certificate's content only when the proof is valid, and the name never after a
    withdrawal.
    """

    status: VerificationStatus
    checks: Mapping[str, CheckResult]
    status_as_of: datetime | None = None
    scheme: str | None = None
    units: tuple[tuple[str, str], ...] = ()
    issuer_name: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a document of any shape names: its issuer, its id, the URLs of its lists.

    A member is empty where the document does not name it.
    """

    issuer: str
    id: str
    list_urls: tuple[str, ...]


def _all_skipped() -> dict[str, CheckResult]:
    return dict.fromkeys(STEPS, CheckResult.SKIPPED)


@dataclass(slots=True)
class _Findings:
    """The results of the steps so far."""

    checks: dict[str, CheckResult] = field(default_factory=_all_skipped)
    statuses: list[VerificationStatus] = field(default_factory=list[VerificationStatus])
    as_of: datetime | None = None

    def pass_step(self, step: str) -> None:
        self.checks[step] = CheckResult.PASSED

    def fail_step(self, step: str, check: CheckResult, status: VerificationStatus) -> None:
        self.checks[step] = check
        self.statuses.append(status)

    def to_result(self) -> VerificationResult:
        by_precedence = [status for status in VerificationStatus if status in self.statuses]
        status = by_precedence[0] if by_precedence else VerificationStatus.VALID
        return VerificationResult(status=status, checks=self.checks, status_as_of=self.as_of)


def verify(
    document: Json,
    issuer: TrustedIssuer | None,
    lists: Mapping[str, FetchedList],
    stored: StoredCertificate | None,
    now: datetime,
) -> VerificationResult:
    """Return the result for this document at `now`.

    `lists` are the fetched lists by URL, `stored` is our record of the document's id.
    """
    findings = _Findings()
    if issuer is None or read_claims(document).issuer != issuer.did:
        findings.fail_step("trust", CheckResult.FAILED, VerificationStatus.UNKNOWN_ISSUER)
        return findings.to_result()
    findings.pass_step("trust")
    credential = shape.parse_credential(document)
    if credential is None:
        findings.fail_step("schema", CheckResult.FAILED, VerificationStatus.INVALID)
        return findings.to_result()
    findings.pass_step("schema")
    keys = did.assertion_keys(issuer.document, issuer.did)
    _check_proof(document, credential, keys, findings)
    if findings.checks["proof"] is not CheckResult.PASSED:
        return findings.to_result()
    _check_issuer(credential, issuer, stored, findings)
    _check_dates(credential, now, findings)
    _check_lists(credential, issuer, keys or {}, lists, now, findings)
    if issuer.is_ours:
        _check_store(document, stored, now, findings)
    return _add_content(findings.to_result(), credential)


def cannot_tell(now: datetime) -> VerificationResult:
    """Return the result for a certificate that is being issued again under another key."""
    findings = _Findings(as_of=now)
    findings.fail_step("proof", CheckResult.UNKNOWN, VerificationStatus.INDETERMINATE)
    return findings.to_result()


def read_claims(document: Json) -> Claims:
    """Return what a document of any shape names; it proves nothing yet."""
    entries: object = document.get("credentialStatus")
    urls: list[str] = []
    if isinstance(entries, list):
        first_two = cast("list[object]", entries)[:2]
        urls = [_read_text(entry, "statusListCredential") for entry in first_two]
    return Claims(
        issuer=_read_text(document.get("issuer"), "id"),
        id=_read_text(document, "id"),
        list_urls=tuple(url for url in urls if url),
    )


def _read_text(value: object, member: str) -> str:
    if not isinstance(value, dict):
        return ""
    text = cast("Json", value).get(member)
    return text if isinstance(text, str) else ""


def _check_proof(
    document: Json,
    credential: shape.Credential,
    keys: Mapping[str, str] | None,
    findings: _Findings,
) -> None:
    """Check the first proof by the issuer's key. Without readable keys it is unknown."""
    if keys is None:
        findings.fail_step("proof", CheckResult.UNKNOWN, VerificationStatus.INDETERMINATE)
        return
    method = credential.proof[0].verification_method
    is_certificate_key = method in keys and "#key-" in method
    try:
        is_valid = is_certificate_key and proof.is_valid(
            document, document["proof"][0], keys[method]
        )
    except multibase.NotMultibase:
        findings.fail_step("proof", CheckResult.UNKNOWN, VerificationStatus.INDETERMINATE)
        return
    if is_valid:
        findings.pass_step("proof")
    else:
        findings.fail_step("proof", CheckResult.FAILED, VerificationStatus.INVALID)


def _check_issuer(
    credential: shape.Credential,
    issuer: TrustedIssuer,
    stored: StoredCertificate | None,
    findings: _Findings,
) -> None:
    """Check that key and licence are those of the certificate's issue.

    The licence counts on the first day of the certificate's validity. A certificate that our store
    does not know fails at the digest.
    """
    key_owner, _, key_name = credential.proof[0].verification_method.partition("#")
    is_bound = key_owner == issuer.did
    if issuer.is_ours and stored is not None:
        is_bound = is_bound and key_name == stored.key_name and _is_licensed(credential, stored)
    if is_bound:
        findings.pass_step("issuer")
    else:
        findings.fail_step("issuer", CheckResult.FAILED, VerificationStatus.INVALID)


def _is_licensed(credential: shape.Credential, stored: StoredCertificate) -> bool:
    first_moment = datetime.fromisoformat(credential.valid_from)
    first_day = first_moment.astimezone(WESTERN_INDONESIA).date()
    scheme_ref = credential.credential_subject.achievement.id.split("/")[-2]
    return stored.licence is not None and stored.licence.covers(scheme_ref, first_day)


def _check_dates(credential: shape.Credential, now: datetime, findings: _Findings) -> None:
    valid_from = datetime.fromisoformat(credential.valid_from)
    valid_until = datetime.fromisoformat(credential.valid_until)
    if valid_until <= valid_from:
        findings.fail_step("dates", CheckResult.FAILED, VerificationStatus.INVALID)
    elif now >= valid_until:
        findings.fail_step("dates", CheckResult.FAILED, VerificationStatus.EXPIRED)
    elif now < valid_from:
        findings.fail_step("dates", CheckResult.FAILED, VerificationStatus.NOT_YET_VALID)
    else:
        findings.pass_step("dates")


def _check_lists(
    credential: shape.Credential,
    issuer: TrustedIssuer,
    keys: Mapping[str, str],
    lists: Mapping[str, FetchedList],
    now: datetime,
    findings: _Findings,
) -> None:
    """Check the certificate's bit in both lists. A raised bit outweighs an unreadable list."""
    for entry in credential.credential_status:
        url = entry.status_list_credential
        accepted = accept_list(
            lists.get(url),
            url=url,
            purpose=entry.status_purpose,
            issuer=issuer.did,
            keys=keys,
            now=now,
        )
        _check_bit(entry.status_purpose, int(entry.status_list_index), accepted, findings)
    if findings.checks["status"] is CheckResult.SKIPPED:
        findings.pass_step("status")


def _check_bit(
    purpose: str, index: int, accepted: AcceptedList | None, findings: _Findings
) -> None:
    is_raised = None
    if accepted is not None:
        is_raised = accepted.is_raised(index)
        is_older = findings.as_of is None or accepted.valid_from < findings.as_of
        if is_older:
            findings.as_of = accepted.valid_from
    if is_raised:
        findings.fail_step("status", CheckResult.FAILED, _STATUS_BY_PURPOSE[purpose])
    elif is_raised is None:
        has_failed = findings.checks["status"] is CheckResult.FAILED
        check = CheckResult.FAILED if has_failed else CheckResult.UNKNOWN
        findings.fail_step("status", check, VerificationStatus.INDETERMINATE)


def _check_store(
    document: Json, stored: StoredCertificate | None, now: datetime, findings: _Findings
) -> None:
    """Check our own record, which outweighs the lists.

    An unknown id, or another digest under our key, is a forgery.
    """
    if stored is None or stored.digest != proof.digest(document):
        findings.fail_step("digest", CheckResult.FAILED, VerificationStatus.INVALID)
        return
    findings.pass_step("digest")
    findings.statuses = [status for status in findings.statuses if status not in _STATUSES_OF_LISTS]
    findings.as_of = now
    if stored.status is VerificationStatus.VALID:
        findings.pass_step("status")
    else:
        findings.fail_step("status", CheckResult.FAILED, stored.status)


def _add_content(result: VerificationResult, credential: shape.Credential) -> VerificationResult:
    if result.status is VerificationStatus.INVALID:
        return result
    subject = credential.credential_subject
    achievement = subject.achievement
    is_withdrawn = result.status is VerificationStatus.WITHDRAWN
    return replace(
        result,
        scheme=achievement.name,
        units=tuple((unit.target_code, unit.target_name) for unit in achievement.alignment),
        issuer_name=credential.issuer.name,
        valid_from=datetime.fromisoformat(credential.valid_from),
        valid_until=datetime.fromisoformat(credential.valid_until),
        name=None if is_withdrawn else subject.identifier[0].identity_hash,
    )
