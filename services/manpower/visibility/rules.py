"""Rules of visibility: which row about a person an outside reader sees, and which columns.

Without a consent in force there is no row. A role that `OUTSIDE_ROLES` does not list must be an
officer of the prison (claim `facility`); any other caller sees nothing.
Not here: how the rules become filters of queries (store).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import EVERYTHING, Caller


class Purpose(StrEnum):
    """A purpose that a person may consent to."""

    DINAS_REGISTRATION = "dinas_registration"
    TRAINING_NOMINATION = "training_nomination"
    EMPLOYER_SHARE = "employer_share"
    TKM_APPLICATION = "tkm_application"
    FOLLOW_UP_CONTACT = "follow_up_contact"
    STORY_OR_PHOTO = "story_or_photo"


class Column(StrEnum):
    """A column of a person that can be shared.

    NIK, exact release date, block, sentence and offence are no columns: they are never shared.
    """

    NAME = "name"
    REGENCY = "regency"
    SKILLS = "skills"
    COURSES = "courses"
    EXPERIENCE = "experience"
    AVAILABILITY = "availability"


@dataclass(frozen=True, slots=True)
class OutsideRole:
    """How an outside role reads: for which purpose, and by which claims.

    The caller must hold the recipient claim and, if the role is bound to a regency, `regency`.
    """

    purpose: Purpose
    recipient_claim: str
    is_bound_to_regency: bool


OUTSIDE_ROLES: Mapping[str, OutsideRole] = {
    "dinas_placement": OutsideRole(Purpose.DINAS_REGISTRATION, "agency", is_bound_to_regency=True),
    "dinas_training": OutsideRole(Purpose.TRAINING_NOMINATION, "agency", is_bound_to_regency=True),
    "dinas_kukm": OutsideRole(Purpose.TKM_APPLICATION, "agency", is_bound_to_regency=True),
    "bapas": OutsideRole(Purpose.FOLLOW_UP_CONTACT, "agency", is_bound_to_regency=False),
    "employer": OutsideRole(Purpose.EMPLOYER_SHARE, "employer", is_bound_to_regency=False),
}

PURPOSES_BY_REGENCY = frozenset(
    role.purpose for role in OUTSIDE_ROLES.values() if role.is_bound_to_regency
)
"""Purposes for which an office answers only for the people of its regencies."""

COLUMNS_BY_PURPOSE: Mapping[Purpose, frozenset[Column]] = {
    Purpose.DINAS_REGISTRATION: frozenset(
        {Column.NAME, Column.REGENCY, Column.SKILLS, Column.EXPERIENCE, Column.AVAILABILITY}
    ),
    Purpose.TRAINING_NOMINATION: frozenset({Column.NAME, Column.SKILLS, Column.COURSES}),
    Purpose.TKM_APPLICATION: frozenset({Column.NAME, Column.SKILLS}),
    Purpose.EMPLOYER_SHARE: frozenset({Column.NAME, Column.SKILLS, Column.AVAILABILITY}),
    Purpose.FOLLOW_UP_CONTACT: frozenset({Column.NAME}),
    Purpose.STORY_OR_PHOTO: frozenset({Column.NAME}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentShare:
    """The copy of a consent on the rows that it opens."""

    consent_id: str
    recipient: str
    purpose: Purpose
    fields: frozenset[Column]
    given_at: datetime
    expires_at: datetime

    def is_in_force(self, now: datetime) -> bool:
        """Return whether the consent is in force at this moment."""
        return self.given_at <= now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """Who may see a row about a person.

    It is copied from the candidate to each application and placement of the same person.
    """

    facility_id: str
    regency_code: str = ""
    shares: tuple[ConsentShare, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An outside reader: its recipients, its purpose and its regencies (None = any regency)."""

    recipients: frozenset[str]
    purpose: Purpose
    regencies: frozenset[str] | None

    @property
    def audiences(self) -> tuple[str, ...]:
        """The feed audiences to which the reader belongs."""
        names = {
            audience_name(recipient, self.purpose, regency)
            for recipient in self.recipients
            for regency in self.regencies or ("",)
        }
        return tuple(sorted(names))


def is_outside(caller: Caller) -> bool:
    """Return whether the caller's role belongs to an office or an employer."""
    return caller.role in OUTSIDE_ROLES


def reader_of(caller: Caller) -> Reader | None:
    """Return the outside reader that the caller's claims define; None when it may see nothing.

    None when the role is not an outside one, or a claim that it needs is missing, empty or `*`.
    """
    role = OUTSIDE_ROLES.get(caller.role)
    if role is None:
        return None
    recipients = caller.claim(role.recipient_claim)
    if not _is_limited(recipients):
        return None
    if not role.is_bound_to_regency:
        return Reader(recipients=recipients, purpose=role.purpose, regencies=None)
    regencies = caller.claim("regency")
    if not _is_limited(regencies):
        return None
    return Reader(recipients=recipients, purpose=role.purpose, regencies=regencies)


def share_for(visibility: Visibility, reader: Reader, now: datetime) -> ConsentShare | None:
    """Return the consent by which this reader sees the row now; None when it may not see it."""
    if reader.regencies is not None and visibility.regency_code not in reader.regencies:
        return None
    for share in visibility.shares:
        is_for_reader = share.recipient in reader.recipients and share.purpose is reader.purpose
        if is_for_reader and share.is_in_force(now):
            return share
    return None


def visible_columns(share: ConsentShare) -> frozenset[Column]:
    """Return the columns that are both in the consent and in its purpose."""
    return share.fields & COLUMNS_BY_PURPOSE[share.purpose]


def audience_name(recipient: str, purpose: Purpose, regency_code: str) -> str:
    """Return the feed audience of this recipient and purpose.

    The regency is part of the name where an office answers for a regency only.
    """
    name = f"{recipient}/{purpose.value}"
    return f"{name}/{regency_code}" if purpose in PURPOSES_BY_REGENCY else name


def all_audiences(visibility: Visibility) -> frozenset[str]:
    """Return the audiences for which the row was opened, by consents in force or not."""
    return frozenset(
        audience_name(share.recipient, share.purpose, visibility.regency_code)
        for share in visibility.shares
    )


def current_audiences(visibility: Visibility, now: datetime) -> frozenset[str]:
    """Return the audiences that may see a change now."""
    in_force = tuple(share for share in visibility.shares if share.is_in_force(now))
    return all_audiences(replace(visibility, shares=in_force))


def _is_limited(claim: frozenset[str]) -> bool:
    return len(claim) > 0 and EVERYTHING not in claim
