"""Who a person is: name, register number, birth date, sex and the encrypted NIK; what makes sixteen digits one. Not here: where the person is held.

NIK: `PPKKCC DDMMYY SSSS`, women's day + 40, no checksum (source: Dukcapil Klaten, "Arti 16 digit NIK").
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from chassis.errors import Conflict
from services.training.vault import EncryptedField

_DIGITS = re.compile(r"[0-9]{16}")
_WOMENS_DAY_OFFSET = 40


class NikProblem(StrEnum):
    """Why digits are no NIK."""

    LENGTH = "NIK_LENGTH"
    DAY = "NIK_DAY"
    MONTH = "NIK_MONTH"
    SERIAL = "NIK_SERIAL"


class NikWarning(StrEnum):
    """What of a NIK differs from the record; it is stored all the same."""

    BIRTH_DATE = "NIK_BIRTH_DATE_DIFFERS"
    SEX = "NIK_SEX_DIFFERS"


def check_nik(digits: str, birth_date: date | None, sex: str) -> NikProblem | list[NikWarning]:
    """The reason to refuse these digits, or what differs from the birth date and the sex (`male`, `female`, empty = not known)."""
    if not _DIGITS.fullmatch(digits):
        return NikProblem.LENGTH
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    woman = day > _WOMENS_DAY_OFFSET
    day -= _WOMENS_DAY_OFFSET if woman else 0
    if not 1 <= day <= 31:  # noqa: PLR2004 - days of a month
        return NikProblem.DAY
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        return NikProblem.MONTH
    if digits[12:] == "0000":
        return NikProblem.SERIAL
    warnings: list[NikWarning] = []
    if birth_date is not None and (day, month, year) != (
        birth_date.day,
        birth_date.month,
        birth_date.year % 100,
    ):
        warnings.append(NikWarning.BIRTH_DATE)
    if sex and woman != (sex == "female"):
        warnings.append(NikWarning.SEX)
    return warnings


class NikStatus(StrEnum):
    """What is known of the number."""

    PRESENT = "present"
    MISSING = "missing"
    UNVERIFIED = "unverified"
    DISPUTED = "disputed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The one place where a name and a NIK are kept; `id` is the participant's reference."""

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
class IdentityFacts:
    """What a row says of an identity. Empty means not said; `nik_given` says that something stood there, readable or not."""

    name: str
    register_no: str = ""
    birth_date: date | None = None
    sex: str = ""
    nik_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedNik:
    """A readable NIK as it is kept, and the lookup values it has under every accepted key."""

    sealed: EncryptedField
    lookup: str
    lookup_key: str
    last4: str


def create_identity(
    ref: str, facility_id: str, said: IdentityFacts, number: EncryptedNik | None
) -> Identity:
    """The identity of a person seen for the first time."""
    blank = Identity(id=ref, facility_id=facility_id, name=said.name)
    return update_identity(blank, said, number)[0]


def update_identity(
    before: Identity, said: IdentityFacts, number: EncryptedNik | None
) -> tuple[Identity, tuple[str, ...]]:
    """The identity with what the row says, and the names of the fields that differ. `number` is given when it is not the one stored."""
    changed: list[str] = []
    after = before
    if _fold(said.name) != _fold(before.name):
        after = replace(after, name=said.name)
        changed.append("name")
    if said.register_no and _fold(said.register_no) != _fold(before.register_no):
        after = replace(after, register_no=said.register_no)
        changed.append("register_no")
    if said.birth_date is not None and said.birth_date != before.birth_date:
        after = replace(after, birth_date=said.birth_date)
        changed.append("birth_date")
    if said.sex and said.sex != before.sex:
        after = replace(after, sex=said.sex)
        changed.append("sex")
    if number is not None:
        after = replace(
            after,
            nik=number.sealed,
            nik_lookup=number.lookup,
            nik_lookup_key=number.lookup_key,
            nik_last4=number.last4,
            nik_status=NikStatus.PRESENT,
        )
        changed.append("nik")
    elif said.nik_given and before.nik is None and before.nik_status is NikStatus.MISSING:
        after = replace(after, nik_status=NikStatus.UNVERIFIED)
    return after, tuple(changed)


def is_stored_nik(before: Identity, lookups: Collection[str]) -> bool:
    """Whether the stored number is the one with these lookup values."""
    return bool(before.nik_lookup) and before.nik_lookup in lookups


def _fold(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


class NameLimitReached(Conflict):
    """A purpose asks for more names than a day allows; `limit` is the number a day."""

    title = "Batas permintaan identitas untuk keperluan ini hari ini sudah tercapai"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQuota:
    """How many names one service has been told for one purpose on one day (UTC)."""

    id: str
    version: int = 0
    asker: str
    purpose: str
    day: date
    told: int = 0


def spend_quota(quota: NameQuota, names: int, limit: int) -> NameQuota:
    """The quota after so many more names; NameLimitReached when the day's limit would be passed."""
    if quota.told + names > limit:
        raise NameLimitReached(limit=limit)
    return replace(quota, told=quota.told + names)


def mask_nik(identity: Identity) -> str:
    """The NIK as screens show it: the last four digits."""
    return f"************{identity.nik_last4}" if identity.nik_last4 else ""
