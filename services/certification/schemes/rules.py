"""Rules of certification schemes and their editions (certification section 1; R9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.errors import NotFound, Refused
from services.certification.credentials.document import Unit
from services.certification.credentials.shape import MAX_UNITS
from services.certification.names.rules import require_neutral, require_paper_text
from services.certification.settings import TEXTS

_REF = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class SchemeUnknown(NotFound):
    title = TEXTS["errors.scheme_unknown"]


class SchemeRefInvalid(Refused):
    title = TEXTS["errors.scheme_ref_invalid"]
    field = "scheme_ref"


class SchemeOfAnotherLsp(Refused):
    title = TEXTS["errors.scheme_of_another_lsp"]
    field = "scheme_ref"


class UnitsInvalid(Refused):
    title = TEXTS["errors.units_invalid"]
    field = "units"


class Packaging(StrEnum):
    """How a scheme packages units (BNSP)."""

    KKNI = "kkni"
    OCCUPATION = "occupation"
    CLUSTER = "cluster"
    UNIT = "unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The content of an edition.

    In `code_patterns`, X means a letter and 0 a digit; anything else means itself. Without
    patterns any code is allowed.
    """

    title: str
    packaging: Packaging
    level: int | None
    description: str
    criteria: str
    units: tuple[Unit, ...]
    code_patterns: tuple[str, ...]
    validity_months: int
    asesi_per_assessor: int
    title_en: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One published edition of a scheme.

    `ref` names the scheme in all its editions; programmes and events use it.
    """

    id: str
    version: int = 0
    lsp_id: str
    ref: str
    edition: int
    terms: Terms
    published_at: datetime

    @property
    def unit_codes(self) -> set[str]:
        """The codes of its units."""
        return {unit.code for unit in self.terms.units}


def edition_id(ref: str, edition: int) -> str:
    """Return the id of an edition."""
    return f"{ref}:{edition}"


def publish(lsp_id: str, ref: str, newest: Scheme | None, terms: Terms, now: datetime) -> Scheme:
    """Return the next edition of a scheme.

    Raises SchemeRefInvalid, SchemeOfAnotherLsp, UnitsInvalid, WordDenied when a text would reveal
    where a holder was, and TextNotPrintable.
    """
    if not _REF.fullmatch(ref):
        raise SchemeRefInvalid
    if newest is not None and newest.lsp_id != lsp_id:
        raise SchemeOfAnotherLsp
    require_neutral(ref, "scheme_ref")
    require_paper_text(terms.title, "title")
    require_paper_text(terms.title_en, "title_en")
    require_neutral(terms.description, "description")
    require_neutral(terms.criteria, "criteria")
    for unit in terms.units:
        for text in (unit.code, unit.title, unit.title_en, unit.framework):
            require_paper_text(text, "units")
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
        raise UnitsInvalid(TEXTS["details.units_count"].format(most=MAX_UNITS))
    if not terms.code_patterns:
        return
    odd_codes = [code for code in codes if not _has_any_pattern(code, terms.code_patterns)]
    if odd_codes:
        raise UnitsInvalid(TEXTS["details.units_pattern"].format(codes=", ".join(odd_codes)))


def _has_any_pattern(code: str, patterns: tuple[str, ...]) -> bool:
    return any(has_pattern(code, pattern) for pattern in patterns)


def has_pattern(code: str, pattern: str) -> bool:
    """Return whether a unit code has the form of the pattern, such as `X.000000.000.00`.

    Source: Permenakertrans 8/2012.
    """
    if len(code) != len(pattern):
        return False
    return all(_fits(letter, mark) for letter, mark in zip(code, pattern, strict=True))


def _fits(letter: str, mark: str) -> bool:
    if mark == "X":
        return "A" <= letter <= "Z"
    if mark == "0":
        return "0" <= letter <= "9"
    return letter == mark
