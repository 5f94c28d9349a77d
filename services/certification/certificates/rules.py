"""Rules of certificates, from their reservation to their revocation.

Source: certification section 9, R10.
RESERVED -> (signed outside any transaction) -> ISSUED <-> SUSPENDED -> REVOKED | REPLACED.
Not here: expiry, which is not a state; verification computes it from the dates.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound
from services.certification.applications.rules import Application
from services.certification.credentials.document import (
    WESTERN_INDONESIA,
    CertificateContent,
    Unit,
)
from services.certification.events import (
    CertificateIssued,
    CertificateReinstated,
    CertificateRevoked,
    CertificateSuspended,
    UnitTitle,
)
from services.certification.lsps.rules import (
    KeyPurpose,
    Licence,
    Lsp,
    Signatory,
    find_licence,
    freeze_licence,
    newest_key_name,
)
from services.certification.reasons import Reason, RulesBroken
from services.certification.schemes.rules import Scheme
from services.certification.settings import TEXTS
from services.certification.statuslists.rules import StatusListSlots


class CertificateUnknown(NotFound):
    title = TEXTS["errors.certificate_unknown"]


class CertificateStateDiffers(Conflict):
    title = TEXTS["errors.certificate_state_differs"]


class CertificateState(StrEnum):
    """The state of a certificate."""

    RESERVED = "reserved"
    ISSUED = "issued"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    REPLACED = "replaced"


class RevocationCause(StrEnum):
    """The closed list of causes of a change of state (certification 12.12).

    None of them is a conviction or a suspicion, and none is ever public.
    """

    DATA_ERROR = "data_error"
    REPLACED = "replaced"
    ASSESSMENT_IRREGULARITY = "assessment_irregularity"
    MISUSE_OF_CERTIFICATE = "misuse_of_certificate"
    HOLDER_REQUEST = "holder_request"
    ISSUER_KEY_COMPROMISE = "issuer_key_compromise"
    SCHEME_WITHDRAWN = "scheme_withdrawn"


IN_FORCE = (CertificateState.ISSUED, CertificateState.SUSPENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of a certificate as BNSP gave them; "" where it gave none (R8)."""

    certificate_no: str = ""
    registration_no: str = ""
    blank_no: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChange:
    """One change of state: who, when, why."""

    state: CertificateState
    at: datetime
    by: str
    cause: RevocationCause


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate. The name and the signed document are stored encrypted.

    Its id is random and is the urn:uuid of the credential. `licence` and `signatory` are those of
    the day on which it was reserved. `paper_version` counts the papers: each change of the numbers
    makes the next. `replaces` and `successor_id` link a certificate that was issued again under
    another key.
    """

    id: str
    version: int = 0
    lsp_id: str
    origin_ref: str
    application_id: str
    panel_decision_id: str
    scheme_id: str
    token: str
    subject_id: str
    place: StatusListSlots
    issuer: str
    issuer_name: str
    origin_url: str
    key_name: str
    scheme_ref: str
    scheme_title: str
    valid_from: datetime
    valid_until: datetime
    sealed_name: str
    state: CertificateState = CertificateState.RESERVED
    failure: str | None = None
    digest: str | None = None
    sealed_credential: str | None = None
    issued_at: datetime | None = None
    changes: tuple[CertificateChange, ...] = ()
    licence: Licence | None = None
    signatory: Signatory | None = None
    numbers: Numbers = Numbers()
    paper_version: int = 1
    replaces: str | None = None
    successor_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedPaper:
    """One version of the paper as it was first printed, encrypted in `sealed`.

    `layout` is the version of the layout, `digest` the SHA-256 of the PDF.
    """

    id: str
    version: int = 0
    lsp_id: str
    layout: int
    digest: str
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifiers:
    """The random parts of a certificate: its id, its subject's id, and the token (60 bits)."""

    id: str
    subject_id: str
    token: str


def start_of_validity(day: date) -> datetime:
    """Return the first moment of validity: 00:00 in Asia/Jakarta, for every facility."""
    return datetime(day.year, day.month, day.day, tzinfo=WESTERN_INDONESIA)


def end_of_validity(day: date, months: int) -> datetime:
    """Return the first moment after the validity, by the calendar.

    29 February + 36 months is 28 February.
    """
    extra_years, month_index = divmod(day.month - 1 + months, 12)
    year = day.year + extra_years
    month = month_index + 1
    last_day = calendar.monthrange(year, month)[1]
    return start_of_validity(date(year, month, min(day.day, last_day)))


def reserve(
    identifiers: Identifiers,
    slots: StatusListSlots,
    application: Application,
    scheme: Scheme,
    lsp: Lsp,
    *,
    panel_decision_id: str,
    decided_on: date,
) -> Certificate:
    """Fix everything that will be signed, so that signing again gives the same bytes.

    Raises RulesBroken without a key of the issuer, a name or a licence.
    """
    key = require_signing_key(lsp)
    licence = find_licence(lsp, scheme.ref, decided_on)
    if application.name is None:
        raise RulesBroken([Reason.NAME_NOT_CONFIRMED])
    if licence is None:
        raise RulesBroken([Reason.LICENCE_EXPIRED])
    return Certificate(
        id=identifiers.id,
        lsp_id=lsp.id,
        origin_ref=application.origin_ref,
        application_id=application.id,
        panel_decision_id=panel_decision_id,
        scheme_id=scheme.id,
        token=identifiers.token,
        subject_id=identifiers.subject_id,
        place=slots,
        issuer=lsp.did,
        issuer_name=lsp.name,
        origin_url=lsp.origin,
        key_name=key,
        scheme_ref=scheme.ref,
        scheme_title=scheme.terms.title,
        valid_from=start_of_validity(decided_on),
        valid_until=end_of_validity(decided_on, scheme.terms.validity_months),
        sealed_name=application.name.sealed,
        licence=freeze_licence(licence, scheme.ref),
        signatory=lsp.signatory,
    )


def require_signing_key(lsp: Lsp) -> str:
    """Return the name of the key that signs certificates now. Raises RulesBroken without one."""
    key = newest_key_name(lsp, KeyPurpose.KEY)
    if key is None:
        raise RulesBroken([Reason.ISSUER_KEY_MISSING])
    return key


def build_content(certificate: Certificate, scheme: Scheme, name: str) -> CertificateContent:
    """Return the content of the document to sign."""
    return CertificateContent(
        id=certificate.id,
        subject_id=certificate.subject_id,
        origin=certificate.origin_url,
        issuer=certificate.issuer,
        issuer_name=certificate.issuer_name,
        name=name,
        scheme_ref=certificate.scheme_ref,
        edition=scheme.edition,
        scheme_title=certificate.scheme_title,
        description=scheme.terms.description,
        criteria=scheme.terms.criteria,
        units=tuple(
            Unit(code=unit.code, title=unit.title, framework=unit.framework)
            for unit in scheme.terms.units
        ),
        valid_from=certificate.valid_from,
        valid_until=certificate.valid_until,
        revocation=certificate.place.revocation,
        suspension=certificate.place.suspension,
    )


def issue(
    certificate: Certificate,
    scheme: Scheme,
    participant_ref: str,
    *,
    digest: str,
    sealed_credential: str,
    now: datetime,
) -> tuple[Certificate, list[CertificateIssued]]:
    """Issue the signed certificate.

    A certificate that is no longer reserved stays as it is, because signing may have been resumed.
    """
    if certificate.state is not CertificateState.RESERVED:
        return certificate, []
    issued = replace(
        certificate,
        state=CertificateState.ISSUED,
        failure=None,
        digest=digest,
        sealed_credential=sealed_credential,
        issued_at=now,
    )
    event = CertificateIssued(
        participant_ref=participant_ref,
        certificate_id=certificate.id,
        scheme_id=certificate.scheme_ref,
        scheme_title=certificate.scheme_title,
        units=tuple(UnitTitle(code=unit.code, title=unit.title) for unit in scheme.terms.units),
        valid_from=certificate.valid_from.astimezone(WESTERN_INDONESIA).date(),
        valid_until=certificate.valid_until.astimezone(WESTERN_INDONESIA).date(),
        digest=digest,
    )
    return issued, [event]


def record_signing_failure(certificate: Certificate, failure: str) -> Certificate:
    """Store why the certificate could not be signed (a code); it waits until an officer retries."""
    return replace(certificate, failure=failure)


def retry_signing(certificate: Certificate) -> Certificate:
    """Clear the failure, so that the certificate is signed again.

    Raises CertificateStateDiffers once it is issued.
    """
    require_state(certificate, CertificateState.RESERVED)
    return replace(certificate, failure=None)


def require_sealed_credential(certificate: Certificate) -> str:
    """Return the encrypted signed document. Raises CertificateStateDiffers before it is signed."""
    if certificate.sealed_credential is None:
        raise CertificateStateDiffers(state=certificate.state.value)
    return certificate.sealed_credential


def require_signed(certificate: Certificate | None) -> Certificate:
    """Return the certificate. Raises CertificateUnknown when it is missing or not signed yet."""
    if certificate is None or certificate.sealed_credential is None:
        raise CertificateUnknown
    return certificate


def suspend(
    certificate: Certificate, participant_ref: str, cause: RevocationCause, by: str, now: datetime
) -> tuple[Certificate, list[CertificateSuspended]]:
    """Suspend an issued certificate. Raises CertificateStateDiffers."""
    require_state(certificate, CertificateState.ISSUED)
    suspended = change_state(certificate, CertificateState.SUSPENDED, cause, by, now)
    event = CertificateSuspended(
        participant_ref=participant_ref,
        certificate_id=certificate.id,
        scheme_id=certificate.scheme_ref,
    )
    return suspended, [event]


def reinstate(
    certificate: Certificate, participant_ref: str, cause: RevocationCause, by: str, now: datetime
) -> tuple[Certificate, list[CertificateReinstated]]:
    """Reinstate a suspended certificate. Raises CertificateStateDiffers."""
    require_state(certificate, CertificateState.SUSPENDED)
    reinstated = change_state(certificate, CertificateState.ISSUED, cause, by, now)
    event = CertificateReinstated(
        participant_ref=participant_ref,
        certificate_id=certificate.id,
        scheme_id=certificate.scheme_ref,
    )
    return reinstated, [event]


def revoke(
    certificate: Certificate, participant_ref: str, cause: RevocationCause, by: str, now: datetime
) -> tuple[Certificate, list[CertificateRevoked]]:
    """Revoke a certificate permanently; a second revocation changes nothing.

    Raises CertificateStateDiffers before it is issued.
    """
    if certificate.state is CertificateState.REVOKED:
        return certificate, []
    require_state(certificate, CertificateState.ISSUED, CertificateState.SUSPENDED)
    revoked = change_state(certificate, CertificateState.REVOKED, cause, by, now)
    event = CertificateRevoked(
        participant_ref=participant_ref,
        certificate_id=certificate.id,
        scheme_id=certificate.scheme_ref,
    )
    return revoked, [event]


def check_url(certificate: Certificate) -> str:
    """Return the short address on the paper, in upper case so that its QR code stays coarse."""
    return f"{certificate.origin_url}/V/{certificate.token}".upper()


def change_state(
    certificate: Certificate,
    state: CertificateState,
    cause: RevocationCause,
    by: str,
    now: datetime,
) -> Certificate:
    """Return the certificate in another state, with the change."""
    change = CertificateChange(state=state, at=now, by=by, cause=cause)
    return replace(certificate, state=state, changes=(*certificate.changes, change))


def require_state(certificate: Certificate, *states: CertificateState) -> None:
    """Raise CertificateStateDiffers unless the certificate is in one of these states."""
    if certificate.state not in states:
        raise CertificateStateDiffers(state=certificate.state.value)
