"""What is allowed: certification schemes, published in editions that never change (certification sections 1, 6 R9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.certification.credentials.document import Unit
from services.certification.credentials.shape import MAX_UNITS
from services.certification.names import neutral

_REF = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class SchemeUnknown(NotFound):
    title = "Skema tidak ditemukan"


class SchemeRefInvalid(Refused):
    title = "Rujukan skema hanya boleh berisi huruf kecil, angka dan tanda hubung"
    field = "scheme_ref"


class SchemeOfAnotherLsp(Refused):
    title = "Rujukan skema ini sudah dipakai LSP lain"
    field = "scheme_ref"


class UnitsInvalid(Refused):
    title = "Daftar unit kompetensi tidak benar"
    field = "units"


class Packaging(StrEnum):
    """How a scheme packages units (BNSP)."""

    KKNI = "kkni"
    OCCUPATION = "occupation"
    CLUSTER = "cluster"
    UNIT = "unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an edition says. `code_patterns`: X stands for a letter, 0 for a digit, all else for itself; none = any code."""

    title: str
    packaging: Packaging
    level: int | None
    description: str
    criteria: str
    units: tuple[Unit, ...]
    code_patterns: tuple[str, ...]
    validity_months: int
    asesi_per_assessor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One published edition of a scheme. `ref` names the scheme through all its editions: programmes and events use it."""

    id: str
    version: int = 0
    lsp_id: str
    ref: str
    edition: int
    terms: Terms
    published_at: datetime


def edition_id(ref: str, edition: int) -> str:
    """The id of an edition."""
    return f"{ref}:{edition}"


def publish(lsp_id: str, ref: str, newest: Scheme | None, terms: Terms, now: datetime) -> Scheme:
    """The next edition of a scheme, if what it says may stand on a certificate."""
    if not _REF.fullmatch(ref):
        raise SchemeRefInvalid
    if newest is not None and newest.lsp_id != lsp_id:
        raise SchemeOfAnotherLsp
    neutral.require_neutral(ref, "scheme_ref")
    for text, field in (
        (terms.title, "title"),
        (terms.description, "description"),
        (terms.criteria, "criteria"),
        *((unit.title, "units") for unit in terms.units),
    ):
        neutral.require_neutral(text, field)
    _check_units(terms)
    edition = 1 if newest is None else newest.edition + 1
    return Scheme(
        id=edition_id(ref, edition),
        lsp_id=lsp_id,
        ref=ref,
        edition=edition,
        terms=terms,
        published_at=now,
    )


def _check_units(terms: Terms) -> None:
    codes = [unit.code for unit in terms.units]
    if not 0 < len(codes) <= MAX_UNITS or len(set(codes)) != len(codes):
        raise UnitsInvalid(f"Perlu 1 sampai {MAX_UNITS} unit dengan kode yang berbeda.")
    if terms.code_patterns:
        odd = [
            code
            for code in codes
            if not any(has_pattern(code, pattern) for pattern in terms.code_patterns)
        ]
        if odd:
            raise UnitsInvalid(f"Kode tidak sesuai pola: {', '.join(odd)}")


def has_pattern(code: str, pattern: str) -> bool:
    """Whether a unit code has the form of the pattern, such as `X.000000.000.00` (Permenakertrans 8/2012)."""
    return len(code) == len(pattern) and all(
        ("A" <= letter <= "Z")
        if mark == "X"
        else ("0" <= letter <= "9")
        if mark == "0"
        else letter == mark
        for letter, mark in zip(code, pattern, strict=True)
    )
