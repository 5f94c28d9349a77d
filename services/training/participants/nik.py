"""The national id (NIK): what makes sixteen digits one. Not here: how it is kept or looked up.

Structure `PPKKCC DDMMYY SSSS`, women's day + 40, no checksum (source: Dukcapil Klaten, "Arti 16 digit NIK").
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum

_DIGITS = re.compile(r"[0-9]{16}")
_WOMEN = 40


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


def examine(digits: str, birth_date: date | None, sex: str) -> NikProblem | list[NikWarning]:
    """The reason to refuse these digits, or what differs from the birth date and the sex (`male`, `female`, empty = not known)."""
    if not _DIGITS.fullmatch(digits):
        return NikProblem.LENGTH
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    woman = day > _WOMEN
    day -= _WOMEN if woman else 0
    if not 1 <= day <= 31:  # noqa: PLR2004 - days of a month
        return NikProblem.DAY
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        return NikProblem.MONTH
    if digits[12:] == "0000":
        return NikProblem.SERIAL
    warnings: list[NikWarning] = []
    if birth_date is not None and (day, month, year) != (birth_date.day, birth_date.month, birth_date.year % 100):
        warnings.append(NikWarning.BIRTH_DATE)
    if sex and woman != (sex == "female"):
        warnings.append(NikWarning.SEX)
    return warnings
