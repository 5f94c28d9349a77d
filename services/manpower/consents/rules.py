"""What is allowed: consents, how they are given, and how they end. Refusing one changes nothing for the person inside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import Conflict, NotFound, Refused
from services.manpower import texts
from services.manpower.agencies.rules import (
    Agency,
    AgencyKind,
    RegencyNotServed,
    Topic,
    require_active,
)
from services.manpower.candidates.rules import Candidate, require_present
from services.manpower.visibility.rules import (
    COLUMNS_BY_PURPOSE,
    PURPOSES_BY_REGENCY,
    Column,
    ConsentShare,
    Purpose,
)


class ConsentUnknown(NotFound):
    """No such consent for this caller."""


class ConsentAlreadyGiven(Conflict):
    """A consent for this purpose and recipient is in force."""

    title = texts.CONSENT_ALREADY_GIVEN


class ConsentEnded(Conflict):
    """The consent has ended before."""

    title = texts.CONSENT_ENDED


class ConsentTextUnknown(Refused):
    """The hash is not that of a text for this purpose."""

    title = texts.CONSENT_TEXT_UNKNOWN
    field = "text_version_hash"


class ConsentPeriodRefused(Refused):
    """Given in the future, or expired when given."""

    title = texts.CONSENT_PERIOD
    field = "expires_at"


class ConsentFieldsRefused(Refused):
    """No field, or one that the purpose does not need."""

    title = texts.CONSENT_FIELDS
    field = "fields"


class RecipientRefused(Refused):
    """An agency of the wrong kind for the purpose."""

    title = texts.RECIPIENT_REFUSED
    field = "recipient"


class ResidenceMissing(Refused):
    """The regency on the person's KTP is not recorded, so that no office can be found."""

    title = texts.RESIDENCE_MISSING


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
    """A text that is read to the person; its hash names it for ever."""

    purpose: Purpose
    version: int
    text: str

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal digest of the UTF-8 text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


CONSENT_TEXTS = tuple(
    ConsentText(purpose=Purpose(purpose), version=version, text=text)
    for purpose, version, text in texts.CONSENT_TEXTS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What one person allowed to be told to one recipient for one purpose. `witness_ref` is an opaque ref, never a name."""

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
        """How it stands on the rows it opens."""
        return ConsentShare(
            consent_id=self.id,
            recipient=self.recipient,
            purpose=self.purpose,
            fields=self.fields,
            given_at=self.given_at,
            expires_at=self.expires_at,
        )


def find_route_key(purpose: Purpose, candidate: Candidate) -> tuple[str, Topic]:
    """The routing table's row that names the recipient where the form names none. RecipientRefused where the table cannot know it."""
    if purpose not in TOPIC_OF_PURPOSE:
        raise RecipientRefused(texts.RECIPIENT_MUST_BE_NAMED)
    if not candidate.visibility.regency_code:
        raise ResidenceMissing
    return candidate.visibility.regency_code, TOPIC_OF_PURPOSE[purpose]


def give(consent: Consent, candidate: Candidate, recipient: Agency, now: datetime) -> Consent:
    """A consent that this candidate may give to this recipient now; each refusal names its field."""
    require_present(candidate)
    require_active(recipient)
    if recipient.kind not in RECIPIENT_KINDS[consent.purpose]:
        raise RecipientRefused
    if consent.purpose in PURPOSES_BY_REGENCY:
        _require_served(candidate, recipient)
    if not consent.fields or not consent.fields <= COLUMNS_BY_PURPOSE[consent.purpose]:
        raise ConsentFieldsRefused(allowed=sorted(COLUMNS_BY_PURPOSE[consent.purpose]))
    if consent.text_version_hash not in {
        text.sha256 for text in CONSENT_TEXTS if text.purpose is consent.purpose
    }:
        raise ConsentTextUnknown
    if not consent.given_at <= now < consent.expires_at:
        raise ConsentPeriodRefused
    if any(
        share.is_in_force(now)
        and (share.recipient, share.purpose) == (consent.recipient, consent.purpose)
        for share in candidate.visibility.shares
    ):
        raise ConsentAlreadyGiven
    return consent


def end(consent: Consent, ending: Ending, now: datetime) -> Consent:
    """The consent ended; ConsentEnded when it was before. What was told while it held stays in the audit."""
    if consent.ended_at is not None:
        raise ConsentEnded
    return replace(consent, ended_at=now, ending=ending, live=False)


def find_shares_outside_regency(
    candidate: Candidate, recipients: Iterable[Agency]
) -> frozenset[str]:
    """The consents whose office does not answer for the candidate's regency (any more)."""
    regencies = {agency.id: agency.regency_codes for agency in recipients}
    return frozenset(
        share.consent_id
        for share in candidate.visibility.shares
        if share.purpose in PURPOSES_BY_REGENCY
        and candidate.visibility.regency_code not in regencies.get(share.recipient, frozenset())
    )


def _require_served(candidate: Candidate, recipient: Agency) -> None:
    if not candidate.visibility.regency_code:
        raise ResidenceMissing
    if candidate.visibility.regency_code not in recipient.regency_codes:
        raise RegencyNotServed


def find_superseded(consents: Iterable[Consent]) -> list[Consent]:
    """Of a person's live consents, those that a later one for the same purpose and recipient makes superfluous (after a merge)."""
    live = sorted(
        (each for each in consents if each.live),
        key=lambda each: (each.given_at, each.id),
        reverse=True,
    )
    kept: set[tuple[Purpose, str]] = set()
    superfluous: list[Consent] = []
    for each in live:
        if (each.purpose, each.recipient) in kept:
            superfluous.append(each)
        kept.add((each.purpose, each.recipient))
    return superfluous
