"""Rules of identities: name, register number, birth date, sex and the encrypted NIK.

NIK: `PPKKCC DDMMYY SSSS`, 40 added to a woman's day, no check digit (source: Dukcapil Klaten,
"Arti 16 digit NIK"). Not here: where the person is held (participants).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Conflict
from chassis.persistence.field_encryption import EncryptedField
from services.training.settings import TEXTS
from services.training.text import fold

_DIGITS = re.compile(r"[0-9]{16}")
_WOMENS_DAY_OFFSET = 40
_DAYS = range(1, 32)
_MONTHS = range(1, 13)


class NameLimitReached(Conflict):
    """A service asks for more names for a purpose than `limit`, the number allowed a day."""

    title = TEXTS["errors.name_limit_reached"]


class NikProblem(StrEnum):
    """Why a text is not a valid NIK."""

    LENGTH = "NIK_LENGTH"
    DAY = "NIK_DAY"
    MONTH = "NIK_MONTH"
    SERIAL = "NIK_SERIAL"


class NikWarning(StrEnum):
    """How a NIK differs from the record; the NIK is stored nevertheless."""

    BIRTH_DATE = "NIK_BIRTH_DATE_DIFFERS"
    SEX = "NIK_SEX_DIFFERS"


class NikStatus(StrEnum):
    """What is known about the NIK."""

    PRESENT = "present"
    MISSING = "missing"
    UNVERIFIED = "unverified"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The only place where a name and a NIK are kept; `id` is the participant's reference."""

    id: str
    version: int = 0
    facility_id: str
    name: str
    register_no: str = ""
    birth_date: date | None = None
    sex: str = ""
    nik_status: NikStatus = NikStatus.MISSING
    nik: EncryptedField | None = None
    nik_lookup: str = ""
    nik_lookup_key: str = ""
    nik_last4: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesRead:
    """Identities by reference, and the time of the oldest list on which they rest."""

    identities: dict[str, Identity]
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFacts:
    """What a row says about an identity. Empty means that the row does not say it.

    `nik_given` says that the NIK cell was not empty, readable or not.
    """

    name: str
    register_no: str = ""
    birth_date: date | None = None
    sex: str = ""
    nik_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedNik:
    """A readable NIK as it is stored: encrypted, with its lookup value and last four digits."""

    sealed: EncryptedField
    lookup: str
    lookup_key: str
    last4: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQuota:
    """The number of names that one service has read for one purpose on one day (UTC)."""

    id: str
    version: int = 0
    asker: str
    purpose: str
    day: date
    told: int = 0


def check_nik(digits: str, birth_date: date | None, sex: str) -> NikProblem | list[NikWarning]:
    """Return the reason to refuse these digits, else how they differ from the record.

    `sex` is `male`, `female` or empty (not known).
    """
    if not _DIGITS.fullmatch(digits):
        return NikProblem.LENGTH
    day = int(digits[6:8])
    month = int(digits[8:10])
    year = int(digits[10:12])
    is_woman = day > _WOMENS_DAY_OFFSET
    if is_woman:
        day -= _WOMENS_DAY_OFFSET
    if day not in _DAYS:
        return NikProblem.DAY
    if month not in _MONTHS:
        return NikProblem.MONTH
    if digits[12:] == "0000":
        return NikProblem.SERIAL
    warnings: list[NikWarning] = []
    if birth_date is not None:
        recorded = (birth_date.day, birth_date.month, birth_date.year % 100)
        if (day, month, year) != recorded:
            warnings.append(NikWarning.BIRTH_DATE)
    if sex and is_woman != (sex == "female"):
        warnings.append(NikWarning.SEX)
    return warnings


def create_identity(
    ref: str, facility_id: str, facts: IdentityFacts, nik: EncryptedNik | None
) -> Identity:
    """Return the identity of a person seen for the first time."""
    blank = Identity(id=ref, facility_id=facility_id, name=facts.name)
    identity, _ = update_identity(blank, facts, nik)
    return identity


def update_identity(
    before: Identity, facts: IdentityFacts, nik: EncryptedNik | None
) -> tuple[Identity, tuple[str, ...]]:
    """Return the identity with what the row says, and the names of the fields that differ.

    `nik` is given only when it differs from the stored one.
    """
    changed: list[str] = []
    after = before
    if fold(facts.name) != fold(before.name):
        after = replace(after, name=facts.name)
        changed.append("name")
    if facts.register_no and fold(facts.register_no) != fold(before.register_no):
        after = replace(after, register_no=facts.register_no)
        changed.append("register_no")
    if facts.birth_date is not None and facts.birth_date != before.birth_date:
        after = replace(after, birth_date=facts.birth_date)
        changed.append("birth_date")
    if facts.sex and facts.sex != before.sex:
        after = replace(after, sex=facts.sex)
        changed.append("sex")
    if nik is not None:
        changed.append("nik")
    return _update_nik(after, facts, nik), tuple(changed)


def _update_nik(identity: Identity, facts: IdentityFacts, nik: EncryptedNik | None) -> Identity:
    if nik is not None:
        return replace(
            identity,
            nik=nik.sealed,
            nik_lookup=nik.lookup,
            nik_lookup_key=nik.lookup_key,
            nik_last4=nik.last4,
            nik_status=NikStatus.PRESENT,
        )
    has_none = identity.nik is None and identity.nik_status is NikStatus.MISSING
    if facts.nik_given and has_none:
        return replace(identity, nik_status=NikStatus.UNVERIFIED)
    return identity


def is_stored_nik(identity: Identity, lookups: Collection[str]) -> bool:
    """Return whether the stored NIK is the one with these lookup values."""
    return bool(identity.nik_lookup) and identity.nik_lookup in lookups


def spend_quota(quota: NameQuota, names: int, limit: int) -> NameQuota:
    """Return the quota after these names were read. Raises NameLimitReached."""
    if quota.told + names > limit:
        raise NameLimitReached(limit=limit)
    return replace(quota, told=quota.told + names)


def mask_nik(identity: Identity) -> str:
    """Return the NIK as screens show it: only the last four digits."""
    return f"************{identity.nik_last4}" if identity.nik_last4 else ""
