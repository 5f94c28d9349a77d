"""Rules of identities alone: the structure of a NIK."""

from __future__ import annotations

from datetime import date

import pytest

from services.training.identities.rules import NikProblem, NikWarning, check_nik


@pytest.mark.scenario("T27/rules")
@pytest.mark.parametrize(
    ("digits", "birth_date", "sex", "verdict"),
    [
        ("9901014503900001", date(1990, 3, 5), "female", []),
        ("9901010503900001", date(1990, 3, 6), "male", [NikWarning.BIRTH_DATE]),
        ("9901014503900001", date(1990, 3, 5), "male", [NikWarning.SEX]),
        ("990101050390001", None, "", NikProblem.LENGTH),
        ("99010105039O0001", None, "", NikProblem.LENGTH),
        ("9901010513900001", None, "", NikProblem.MONTH),
        ("9901010500900001", None, "", NikProblem.MONTH),
        ("9901013203900001", None, "", NikProblem.DAY),
        ("9901014003900001", None, "", NikProblem.DAY),
        ("9901017203900001", None, "", NikProblem.DAY),
        ("9901010503900000", None, "", NikProblem.SERIAL),
    ],
)
def test_a_nik_is_refused_or_warned_about_as_its_structure_says(
    digits: str, birth_date: date | None, sex: str, verdict: object
) -> None:
    assert check_nik(digits, birth_date, sex) == verdict
