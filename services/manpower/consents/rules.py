"""Rules of consents: how they are given, and how they end.

Refusing a consent changes nothing for the person inside.
Not here: which columns a consent opens (visibility).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from services.manpower.agencies.routing_table import RegencyNotServed, Topic
from services.manpower.agencies.rules import Agency, AgencyKind, require_active
from services.manpower.candidates.rules import Candidate, require_present
from services.manpower.settings import TEXTS
from services.manpower.visibility.rules import (
    PURPOSES_BY_REGENCY,
    Column,
    ConsentShare,
    Purpose,
)


class ConsentUnknown(NotFound):
    """No such consent for this caller."""


class ConsentAlreadyGiven(Conflict):
    """A consent for this purpose and recipient is already in force."""

    title = TEXTS["errors.consent_already_given"]


class ConsentEnded(Conflict):
    """The consent has already ended."""

    title = TEXTS["errors.consent_ended"]


class ConsentTextUnknown(Refused):
    """No text for this purpose has this hash."""

    title = TEXTS["errors.consent_text_unknown"]
    field = "text_version_hash"


class ConsentPeriodRefused(Refused):
    """The consent was given in the future, or is already expired."""

    title = TEXTS["errors.consent_period_refused"]
    field = "expires_at"


class ConsentFieldsRefused(Refused):
    """The consent has no field, or one that its text does not name."""

    title = TEXTS["errors.consent_fields_refused"]
    field = "fields"


class RecipientRefused(Refused):
    """The recipient is unknown, or its kind does not fit the purpose."""

    title = TEXTS["errors.recipient_refused"]
    field = "recipient"


class ResidenceMissing(Refused):
    """The regency on the person's KTP is not recorded, so no office can be found."""

    title = TEXTS["errors.residence_missing"]


class Ending(StrEnum):
    """How a consent ended."""

    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    PERSON_GONE = "person_gone"
    MOVED_AWAY = "moved_away"
    MERGED = "merged"


RECIPIENT_KINDS: dict[Purpose, frozenset[AgencyKind]] = {
    Purpose.DINAS_REGISTRATION: frozenset({AgencyKind.DINAS_TK}),
    Purpose.TRAINING_NOMINATION: frozenset({AgencyKind.DINAS_TK, AgencyKind.BPVP_BLK}),
    Purpose.TKM_APPLICATION: frozenset({AgencyKind.DINAS_TK, AgencyKind.DINAS_KUKM}),
    Purpose.EMPLOYER_SHARE: frozenset({AgencyKind.EMPLOYER_PARTNER}),
    Purpose.FOLLOW_UP_CONTACT: frozenset({AgencyKind.DINAS_TK, AgencyKind.BAPAS}),
    Purpose.STORY_OR_PHOTO: frozenset(AgencyKind),
}

TOPIC_OF_PURPOSE: dict[Purpose, Topic] = {
    Purpose.DINAS_REGISTRATION: Topic.PLACEMENT,
    Purpose.TRAINING_NOMINATION: Topic.TRAINING,
    Purpose.TKM_APPLICATION: Topic.COOPERATIVE,
    Purpose.FOLLOW_UP_CONTACT: Topic.SUPERVISION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentText:
    """A text that is read to the person; its hash identifies it permanently.

    `fields` are those that the text names: a consent by this text names no others.
    """

    purpose: Purpose
    version: int
    fields: frozenset[Column]
    text: str

    @property
    def sha256(self) -> str:
        """The digest of the UTF-8 text, in lower-case hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


_REGISTRATION_FIELDS = frozenset(
    {Column.NAME, Column.REGENCY, Column.SKILLS, Column.EXPERIENCE, Column.AVAILABILITY}
)
_EMPLOYER_FIELDS = frozenset({Column.NAME, Column.SKILLS, Column.AVAILABILITY})
_WORK_FIELDS = frozenset({Column.STEPS, Column.EMPLOYER, Column.PLACEMENT, Column.WAGE})

_TEXT_VERSIONS = (
    (Purpose.DINAS_REGISTRATION, 1, _REGISTRATION_FIELDS),
    (Purpose.DINAS_REGISTRATION, 2, _REGISTRATION_FIELDS | _WORK_FIELDS),
    (Purpose.TRAINING_NOMINATION, 1, frozenset({Column.NAME, Column.SKILLS, Column.COURSES})),
    (Purpose.EMPLOYER_SHARE, 1, _EMPLOYER_FIELDS),
    (Purpose.EMPLOYER_SHARE, 2, _EMPLOYER_FIELDS | _WORK_FIELDS),
    (Purpose.TKM_APPLICATION, 1, frozenset({Column.NAME, Column.SKILLS})),
    (Purpose.FOLLOW_UP_CONTACT, 1, frozenset({Column.NAME, Column.PLACEMENT})),
    (Purpose.STORY_OR_PHOTO, 1, frozenset({Column.NAME})),
)

CONSENT_TEXTS = tuple(
    ConsentText(
        purpose=purpose,
        version=version,
        fields=fields,
        text=TEXTS[f"consent_texts.{purpose.value}_{version}"].id,
    )
    for purpose, version, fields in _TEXT_VERSIONS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What one person allowed to be shared with one recipient for one purpose.

    `witness_ref` is an opaque reference, never a name.
    """

    id: str
    version: int = 0
    candidate_id: str
    facility_id: str
    purpose: Purpose
    recipient: str
    fields: frozenset[Column]
    text_version_hash: str
    given_at: datetime
    witness_ref: str
    expires_at: datetime
    recorded_by: str
    ended_at: datetime | None = None
    ending: Ending | None = None
    live: bool = True

    @property
    def share(self) -> ConsentShare:
        """The copy on the rows that the consent opens."""
        return ConsentShare(
            consent_id=self.id,
            recipient=self.recipient,
            purpose=self.purpose,
            fields=self.fields,
            given_at=self.given_at,
            expires_at=self.expires_at,
        )


def find_route_key(purpose: Purpose, candidate: Candidate) -> tuple[str, Topic]:
    """Return regency and topic by which the routing table names the recipient.

    Raises RecipientRefused when the purpose needs a named recipient, ResidenceMissing.
    """
    if purpose not in TOPIC_OF_PURPOSE:
        raise RecipientRefused(TEXTS["consents.recipient_must_be_named"])
    return _require_residence(candidate), TOPIC_OF_PURPOSE[purpose]


def require_recipient(agency: Agency | None) -> Agency:
    """Return the agency. Raises RecipientRefused when there is none."""
    if agency is None:
        raise RecipientRefused
    return agency


def give(consent: Consent, candidate: Candidate, recipient: Agency, now: datetime) -> Consent:
    """Return the consent if this candidate may give it to this recipient now.

    Raises CandidateGone, AgencyNotActive, RecipientRefused, ResidenceMissing, RegencyNotServed,
    ConsentFieldsRefused, ConsentTextUnknown, ConsentPeriodRefused, ConsentAlreadyGiven.
    """
    require_present(candidate)
    require_active(recipient)
    _require_fitting_recipient(consent, candidate, recipient)
    allowed = _find_text(consent).fields
    if len(consent.fields) == 0 or not consent.fields.issubset(allowed):
        raise ConsentFieldsRefused(allowed=sorted(allowed))
    if not consent.given_at <= now < consent.expires_at:
        raise ConsentPeriodRefused
    for share in find_equal_shares(candidate, consent):
        if share.is_in_force(now):
            raise ConsentAlreadyGiven
    return consent


def find_equal_shares(candidate: Candidate, consent: Consent) -> list[ConsentShare]:
    """Return the candidate's consents for the same recipient and purpose, in force or not."""
    return [
        share
        for share in candidate.visibility.shares
        if share.recipient == consent.recipient and share.purpose is consent.purpose
    ]


def require_live(consent: Consent) -> None:
    """Raise ConsentEnded when the consent has already ended."""
    if not consent.live:
        raise ConsentEnded


def end(consent: Consent, ending: Ending, now: datetime) -> Consent:
    """Return the ended consent. Raises ConsentEnded when it has already ended.

    What was disclosed while it was in force stays in the audit.
    """
    if consent.ended_at is not None:
        raise ConsentEnded
    return replace(consent, ended_at=now, ending=ending, live=False)


def find_shares_outside_regency(
    candidate: Candidate, recipients: Iterable[Agency]
) -> frozenset[str]:
    """Return the consents whose office does not serve the candidate's regency."""
    regencies = {agency.id: agency.regency_codes for agency in recipients}
    regency_code = candidate.visibility.regency_code
    return frozenset(
        share.consent_id
        for share in candidate.visibility.shares
        if share.purpose in PURPOSES_BY_REGENCY
        and regency_code not in regencies.get(share.recipient, frozenset())
    )


def find_superseded(consents: Iterable[Consent]) -> list[Consent]:
    """Return one person's live consents that a later one for the same recipient supersedes.

    The purpose must be the same too. A merge of two records makes such consents.
    """
    live = [consent for consent in consents if consent.live]
    latest_first = sorted(live, key=lambda consent: (consent.given_at, consent.id), reverse=True)
    keys: set[tuple[Purpose, str]] = set()
    superseded: list[Consent] = []
    for consent in latest_first:
        key = (consent.purpose, consent.recipient)
        if key in keys:
            superseded.append(consent)
        keys.add(key)
    return superseded


def _require_fitting_recipient(consent: Consent, candidate: Candidate, recipient: Agency) -> None:
    if recipient.kind not in RECIPIENT_KINDS[consent.purpose]:
        raise RecipientRefused
    if consent.purpose not in PURPOSES_BY_REGENCY:
        return
    if _require_residence(candidate) not in recipient.regency_codes:
        raise RegencyNotServed


def _require_residence(candidate: Candidate) -> str:
    regency_code = candidate.visibility.regency_code
    if not regency_code:
        raise ResidenceMissing
    return regency_code


def _find_text(consent: Consent) -> ConsentText:
    for text in CONSENT_TEXTS:
        if text.purpose is consent.purpose and text.sha256 == consent.text_version_hash:
            return text
    raise ConsentTextUnknown
