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


class Subject(StrEnum):
    """A kind of row about a person."""

    CANDIDATE = "candidate"
    APPLICATION = "application"
    PLACEMENT = "placement"


class Column(StrEnum):
    """A column of a person that can be shared, and a field that a consent names.

    `steps` are state and history of an application, `placement` kind and start of work, `employer`
    where somebody applies or works. NIK, exact release date, block, sentence and offence are no
    columns: they are never shared.
    """

    NAME = "name"
    REGENCY = "regency"
    SKILLS = "skills"
    COURSES = "courses"
    EXPERIENCE = "experience"
    AVAILABILITY = "availability"
    STEPS = "steps"
    PLACEMENT = "placement"
    EMPLOYER = "employer"
    WAGE = "wage"


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

_WORK_COLUMNS = {
    Subject.APPLICATION: frozenset({Column.STEPS, Column.EMPLOYER}),
    Subject.PLACEMENT: frozenset({Column.PLACEMENT, Column.EMPLOYER, Column.WAGE}),
}

OPENED_COLUMNS: Mapping[Purpose, Mapping[Subject, frozenset[Column]]] = {
    Purpose.DINAS_REGISTRATION: {
        Subject.CANDIDATE: frozenset(
            {Column.NAME, Column.REGENCY, Column.SKILLS, Column.EXPERIENCE, Column.AVAILABILITY}
        ),
        **_WORK_COLUMNS,
    },
    Purpose.TRAINING_NOMINATION: {
        Subject.CANDIDATE: frozenset({Column.NAME, Column.SKILLS, Column.COURSES}),
    },
    Purpose.TKM_APPLICATION: {Subject.CANDIDATE: frozenset({Column.NAME, Column.SKILLS})},
    Purpose.EMPLOYER_SHARE: {
        Subject.CANDIDATE: frozenset({Column.NAME, Column.SKILLS, Column.AVAILABILITY}),
        **_WORK_COLUMNS,
    },
    Purpose.FOLLOW_UP_CONTACT: {
        Subject.CANDIDATE: frozenset({Column.NAME}),
        Subject.PLACEMENT: frozenset({Column.PLACEMENT}),
    },
    Purpose.STORY_OR_PHOTO: {},
}
"""The kinds of rows and the columns that a purpose opens.

Queries, feed audiences and bodies are all made from this table. A column shows only if the consent
names it too.
"""

OWN_COLUMNS: Mapping[Purpose, frozenset[Column]] = {
    Purpose.EMPLOYER_SHARE: frozenset({Column.STEPS, Column.PLACEMENT, Column.EMPLOYER}),
}
"""What a reader knows from its own work, so that no consent needs to name it.

An employer sees only the applications to itself and the placements with itself.
"""


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


def owner_for(caller: Caller) -> str:
    """Return the owner of a row that the caller adds: its facility, or `*` above all facilities.

    Rows that outside offices add belong to no facility either. Raises Forbidden for an officer of
    none or several facilities.
    """
    if is_outside(caller) or is_of_all_facilities(caller):
        return EVERYTHING
    return caller.single("facility")


def is_of_all_facilities(caller: Caller) -> bool:
    """Return whether the caller is an officer above all facilities, or this service itself."""
    return not is_outside(caller) and caller.sees("facility", EVERYTHING)


def may_change(caller: Caller, owner: str) -> bool:
    """Return whether the caller may change a row of this owner that it sees.

    Officers change those of their facilities; an outside office each row that it sees.
    """
    return is_outside(caller) or caller.sees("facility", owner)


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


def opens(purpose: Purpose, subject: Subject) -> bool:
    """Return whether a consent for this purpose shows rows of this kind."""
    return subject in OPENED_COLUMNS[purpose]


def visible_columns(share: ConsentShare, subject: Subject) -> frozenset[Column]:
    """Return the columns of such a row that both the consent and its purpose open."""
    named = share.fields | OWN_COLUMNS.get(share.purpose, frozenset())
    return named & OPENED_COLUMNS[share.purpose].get(subject, frozenset())


def columns_for(
    caller: Caller, visibility: Visibility, subject: Subject, now: datetime
) -> frozenset[Column]:
    """Return the columns of such a row that the caller sees; officers see all."""
    if not is_outside(caller):
        return frozenset(Column)
    reader = reader_of(caller)
    share = None if reader is None else share_for(visibility, reader, now)
    return frozenset() if share is None else visible_columns(share, subject)


def restrict_to_subject(visibility: Visibility, subject: Subject) -> Visibility:
    """Return the visibility of a row of this kind: only consents whose purpose opens it."""
    shares = tuple(share for share in visibility.shares if opens(share.purpose, subject))
    return replace(visibility, shares=shares)


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
