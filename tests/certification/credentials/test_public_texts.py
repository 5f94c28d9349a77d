"""The texts of public documents."""

from __future__ import annotations

from datetime import date

from services.certification.credentials.public_texts import TEXTS, format_date
from services.certification.verifications.rules import VerificationStatus


def test_every_status_has_a_word_and_a_sentence() -> None:
    codes = {f"status.{status.value}" for status in VerificationStatus}
    expected = {f"{code}.word" for code in codes} | {f"{code}.sentence" for code in codes}
    assert {code for code in TEXTS if code.startswith("status.")} == expected


def test_a_date_is_written_with_the_indonesian_month() -> None:
    assert format_date(date(2026, 8, 1)) == "1 Agustus 2026"
