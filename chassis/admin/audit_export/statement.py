"""Statements to inspectors: what an export proves and what it does not, Indonesian first.

Not here: how it is made (export), how it is checked (verify).
"""

from __future__ import annotations

from collections.abc import Sequence

README = """\
Ekspor jejak audit Bina. Periksa tanpa Bina (Python 3.10 ke atas):
    python3 verify.py BERKAS.zip [SIDIK_JARI]
Sidik jari kunci penanda tangan harus sama dengan yang diberikan kantor kepada Anda di atas kertas.
Apa yang dibuktikan berkas ini dan apa yang tidak: manifest.json.

An audit export of Bina. Check it without Bina (Python 3.10 or newer):
    python3 verify.py FILE.zip [FINGERPRINT]
The fingerprint of the signing key must be the one that the office gave you on paper. One row is one
line of rows.jsonl. What this file proves, and what not: manifest.json.
"""

_UNCHANGED = (
    "Tidak ada yang diubah dalam berkas ini sejak ditandatangani.",
    "Nothing in this file was changed since it was signed.",
)
_CHAINED = (
    (
        "Setiap baris punya tempat dalam rantai blok tersegel, tanpa celah dari blok pertama "
        "sampai terakhir di sini."
    ),
    (
        "Each row has its place in the chain of sealed blocks, without a gap from the first "
        "block here to the last."
    ),
)
_WHOLE_ROWS = (
    "Baris utuh: SHA-256 barisnya adalah yang disegel.",
    "A whole row: the SHA-256 of its line is the one that was sealed.",
)
_HIDDEN_TEXTS = (
    (
        "Baris dengan teks tersembunyi: sidiknya tidak dapat dihitung dari berkas ini. Sistem "
        "mencocokkannya dengan segel saat ekspor, dan menandatangani hasilnya (findings)."
    ),
    (
        "A row with hidden texts: its hash cannot be computed from this file. The system "
        "compared it with its seal at the export, and signed what came out (findings)."
    ),
)
_OTHER_ROWS = (
    (
        "Bahwa tidak ada baris lain: baris di luar yang dicari hanya terhitung per blok, dan "
        "yang belum tersegel (unsealed) tidak ikut."
    ),
    (
        "That there are no other rows: those outside of what was sought are only counted in "
        "their blocks, those not yet sealed (unsealed) are left out."
    ),
)
_SEAL_KEY = (
    (
        "Bahwa baris benar saat ditulis, atau tidak diganti oleh pemegang kunci segel: "
        "mintalah ./bina audit verify dijalankan di hadapan Anda, dan cocokkan head."
    ),
    (
        "That rows were right when written, or not replaced by who holds the key of the seals: "
        "have ./bina audit verify run before your eyes, and compare head."
    ),
)
_UNCHECKED_ROWS = (
    (
        "Hanya baris yang diberikan dan bloknya yang diperiksa saat ekspor; baris lain, dan "
        "jangkar di Kafka, diperiksa oleh ./bina audit verify."
    ),
    (
        "Only the rows given and their blocks were checked at the export; other rows, and the "
        "anchors in Kafka, are checked by ./bina audit verify."
    ),
)


def proved_statements(*, has_hidden_texts: bool) -> list[str]:
    """Return what the file proves."""
    sentences: list[tuple[str, str]] = [_UNCHANGED, _CHAINED, _WHOLE_ROWS]
    if has_hidden_texts:
        sentences.append(_HIDDEN_TEXTS)
    return _join_languages(sentences)


def unproved_statements(*, is_verified: bool) -> list[str]:
    """Return what the file does not prove.

    `is_verified` says that the whole audit was verified before the export.
    """
    sentences: list[tuple[str, str]] = [_OTHER_ROWS, _SEAL_KEY]
    if not is_verified:
        sentences.append(_UNCHECKED_ROWS)
    return _join_languages(sentences)


def _join_languages(sentences: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{indonesian} / {english}" for indonesian, english in sentences]
