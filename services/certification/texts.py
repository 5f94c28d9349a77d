"""The Indonesian texts of this service that people outside read. Not here: titles of errors, which stand with the errors."""

from __future__ import annotations

from datetime import date

MONTHS = ("Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober", "November", "Desember")


def day(value: date) -> str:
    """A date as people write it: 24 November 2026."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"


PAPER_TITLE = "Sertifikat Kompetensi"
PAPER_TITLE_ENGLISH = "Certificate of Competence"
PAPER_GIVEN_TO = "diberikan kepada / awarded to"
PAPER_COMPETENT_IN = "yang dinyatakan kompeten pada skema / found competent in the scheme"
PAPER_UNITS_OF = "Unit kompetensi: {scheme}"
PAPER_UNITS_OVERLEAF = "Mencakup {count} unit kompetensi; daftar unit di halaman berikut."
PAPER_NUMBER = "No."
PAPER_UNIT_CODE = "Kode unit"
PAPER_UNIT_TITLE = "Judul unit kompetensi"
PAPER_FRAMEWORK = "Standar"
PAPER_VALID = "Berlaku {start} sampai sebelum {end}."
PAPER_ONLY_UNITS = "Sertifikat ini hanya berlaku untuk unit yang tercantum."
PAPER_CODE = "Kode pemeriksaan:"
PAPER_CHECK = "Periksa keaslian dan status di {url}"
