"""Who a person is: name, register number, birth date, sex and the encrypted NIK. Not here: where the person is held (rules.py)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from services.training.participants.vault import Sealed


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
    nik: Sealed | None = None
    nik_lookup: str = ""
    nik_lookup_key: str = ""
    nik_last4: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a row says of an identity. Empty means not said; `nik_given` says that something stood there, readable or not."""

    name: str
    register_no: str = ""
    birth_date: date | None = None
    sex: str = ""
    nik_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A readable NIK as it is kept, and the lookup values it has under every accepted key."""

    sealed: Sealed
    lookup: str
    lookup_key: str
    last4: str


def first_seen(ref: str, facility_id: str, said: Said, number: Number | None) -> Identity:
    """The identity of a person seen for the first time."""
    blank = Identity(id=ref, facility_id=facility_id, name=said.name)
    return take(blank, said, number)[0]


def take(before: Identity, said: Said, number: Number | None) -> tuple[Identity, tuple[str, ...]]:
    """The identity with what the row says, and the names of the fields that differ. `number` is given when it is not the one stored."""
    changed: list[str] = []
    after = before
    if _folded(said.name) != _folded(before.name):
        after = replace(after, name=said.name)
        changed.append("name")
    if said.register_no and _folded(said.register_no) != _folded(before.register_no):
        after = replace(after, register_no=said.register_no)
        changed.append("register_no")
    if said.birth_date is not None and said.birth_date != before.birth_date:
        after = replace(after, birth_date=said.birth_date)
        changed.append("birth_date")
    if said.sex and said.sex != before.sex:
        after = replace(after, sex=said.sex)
        changed.append("sex")
    if number is not None:
        after = replace(after, nik=number.sealed, nik_lookup=number.lookup, nik_lookup_key=number.lookup_key, nik_last4=number.last4, nik_status=NikStatus.PRESENT)
        changed.append("nik")
    elif said.nik_given and before.nik is None and before.nik_status is NikStatus.MISSING:
        after = replace(after, nik_status=NikStatus.UNVERIFIED)
    return after, tuple(changed)


def knows(before: Identity, lookups: Collection[str]) -> bool:
    """Whether the stored number is the one with these lookup values."""
    return bool(before.nik_lookup) and before.nik_lookup in lookups


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()
