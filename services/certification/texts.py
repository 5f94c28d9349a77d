"""The Indonesian texts of this service that people outside read. Not here: titles of errors, which stand with the errors."""

from __future__ import annotations

from datetime import date

MONTHS = (
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
)


def format_date(value: date) -> str:
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

CHECK_TITLE = "Pemeriksaan Sertifikat"
CHECK_AS_OF = "Keadaan pada {moment} WIB"
CHECK_NAME = "Nama"
CHECK_SCHEME = "Skema"
CHECK_ISSUER = "Diterbitkan oleh"
CHECK_PERIOD = "Masa berlaku"
CHECK_PERIOD_VALUE = "{start} sampai sebelum {end}"
CHECK_UNITS = "Unit kompetensi"
CHECK_COMPARE = "Cocokkan nama dan skema di atas dengan sertifikat yang Anda pegang. Bila berbeda, sertifikat itu tidak asli."
UNKNOWN_TITLE = "Kode tidak dikenal"
UNKNOWN_TEXT = "Tidak ada sertifikat dengan kode ini. Periksa kembali kode pada sertifikat: dua belas huruf dan angka."
UNKNOWN_ENGLISH = "There is no certificate with this code."
SCHEME_TITLE = "Skema Sertifikasi"
SCHEME_EDITION = "Edisi {edition}"
SCHEME_UNKNOWN = "Skema tidak dikenal"
SCHEME_UNKNOWN_TEXT = "Tidak ada skema atau edisi dengan alamat ini."
SCHEME_UNKNOWN_ENGLISH = "There is no scheme or edition at this address."

STATUS_WORDS = {
    "valid": (
        "Berlaku",
        "Sertifikat ini asli dan berlaku.",
        "This certificate is genuine and valid.",
    ),
    "expired": (
        "Masa berlaku habis",
        "Sertifikat ini asli, tetapi masa berlakunya sudah habis.",
        "This certificate is genuine but has expired.",
    ),
    "not_yet_valid": (
        "Belum berlaku",
        "Sertifikat ini asli, tetapi masa berlakunya belum mulai.",
        "This certificate is genuine but not valid yet.",
    ),
    "revoked": (
        "Dicabut",
        "Sertifikat ini tidak berlaku lagi.",
        "This certificate is no longer valid.",
    ),
    "replaced": (
        "Diganti",
        "Sertifikat ini sudah diganti dan tidak berlaku lagi.",
        "This certificate was replaced and is no longer valid.",
    ),
    "suspended": (
        "Dibekukan",
        "Sertifikat ini untuk sementara tidak berlaku.",
        "This certificate is suspended for now.",
    ),
    "withdrawn": (
        "Ditarik",
        "Data sertifikat ini sudah dihapus atas permintaan pemiliknya.",
        "The data of this certificate was erased at its holder's request.",
    ),
    "indeterminate": (
        "Tidak dapat dipastikan",
        "Keadaan sertifikat ini sekarang tidak dapat dipastikan. Coba lagi nanti.",
        "The status of this certificate cannot be told now. Try again later.",
    ),
    "invalid": (
        "Tidak asli",
        "Sertifikat ini tidak asli atau sudah diubah.",
        "This certificate is not genuine or was changed.",
    ),
    "unknown_issuer": (
        "Penerbit tidak dikenal",
        "Penerbit sertifikat ini tidak ada dalam daftar kami.",
        "The issuer of this certificate is not on our list.",
    ),
}
