"""What is allowed: which row about a person an outside reader sees, and which of its columns. No consent, no row.

A role that is not listed here as outside must be an officer of the prison (claim `facility`); whoever is neither sees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.caller import EVERYTHING, Caller


class Purpose(StrEnum):
    """What a person may consent to."""

    DINAS_REGISTRATION = "dinas_registration"
    TRAINING_NOMINATION = "training_nomination"
    EMPLOYER_SHARE = "employer_share"
    TKM_APPLICATION = "tkm_application"
    FOLLOW_UP_CONTACT = "follow_up_contact"
    STORY_OR_PHOTO = "story_or_photo"


class Column(StrEnum):
    """What can be told of a person. NIK, exact release date, block, sentence and offence are no columns: they are never told."""

    NAME = "name"
    REGENCY = "regency"
    SKILLS = "skills"
    COURSES = "courses"
    EXPERIENCE = "experience"
    AVAILABILITY = "availability"


@dataclass(frozen=True, slots=True)
class OutsideRole:
    """How a role from outside reads: for which purpose, and by which claims, all of which it must hold."""

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
    """A consent as it stands on the rows it opens."""

    consent_id: str
    recipient: str
    purpose: Purpose
    fields: frozenset[Column]
    given_at: datetime
    expires_at: datetime

    def is_in_force(self, now: datetime) -> bool:
        """Whether it is in force at this instant."""
        return self.given_at <= now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """Who may see a row about a person: copied from the candidate to each application and placement of the same person."""

    facility_id: str
    regency_code: str = ""
    shares: tuple[ConsentShare, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """An outside reader: for whom and why it reads, and of which regencies (None = not narrowed by regency)."""

    recipients: frozenset[str]
    purpose: Purpose
    regencies: frozenset[str] | None

    @property
    def audiences(self) -> tuple[str, ...]:
        """The feed audiences it belongs to."""
        return tuple(
            sorted(
                audience_name(recipient, self.purpose, regency)
                for recipient in self.recipients
                for regency in self.regencies or ("",)
            )
        )


def is_outside(caller: Caller) -> bool:
    """Whether the caller's role belongs to an office or an employer."""
    return caller.role in OUTSIDE_ROLES


def reader_of(caller: Caller) -> Reader | None:
    """The outside reader that these claims make; None (nothing is seen) when a claim is missing, empty or for everything."""
    role = OUTSIDE_ROLES.get(caller.role)
    if role is None:
        return None
    recipients = caller.claim(role.recipient_claim)
    regencies = caller.claim("regency") if role.is_bound_to_regency else None
    if (
        not recipients
        or EVERYTHING in recipients
        or (regencies is not None and (not regencies or EVERYTHING in regencies))
    ):
        return None
    return Reader(recipients=recipients, purpose=role.purpose, regencies=regencies)


def share_for(visibility: Visibility, reader: Reader, now: datetime) -> ConsentShare | None:
    """The consent by which this reader sees the row now; None = it does not."""
    if reader.regencies is not None and visibility.regency_code not in reader.regencies:
        return None
    return next(
        (
            share
            for share in visibility.shares
            if share.recipient in reader.recipients
            and share.purpose is reader.purpose
            and share.is_in_force(now)
        ),
        None,
    )


def visible_columns(share: ConsentShare) -> frozenset[Column]:
    """What this consent lets its reader see: never more than the purpose's own columns."""
    return share.fields & COLUMNS_BY_PURPOSE[share.purpose]


def audience_name(recipient: str, purpose: Purpose, regency_code: str) -> str:
    """The name of those who read for this recipient and purpose, and of this regency where the purpose is bound to one."""
    return f"{recipient}/{purpose.value}" + (
        f"/{regency_code}" if purpose in PURPOSES_BY_REGENCY else ""
    )


def all_audiences(visibility: Visibility) -> frozenset[str]:
    """Those for whom a row was opened, by consents in force or not."""
    return frozenset(
        audience_name(share.recipient, share.purpose, visibility.regency_code)
        for share in visibility.shares
    )


def current_audiences(visibility: Visibility, now: datetime) -> frozenset[str]:
    """Who may be told of a change now."""
    return all_audiences(
        replace(
            visibility, shares=tuple(share for share in visibility.shares if share.is_in_force(now))
        )
    )
