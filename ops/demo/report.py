"""How the results of the demo are written for people: labels, rupiah, no ids.

Not here: the steps, and the document of `demo --json`.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from ops.language import Bilingual, choose

_MOST_ITEMS = 3
LABELS = {
    "admitted": Bilingual("warga binaan masuk", "admitted"),
    "altered": Bilingual("salinan yang diubah", "a changed copy"),
    "application": Bilingual("pendaftaran", "application"),
    "attended_minutes": Bilingual("menit yang diakui", "minutes credited"),
    "available_from": Bilingual("tersedia mulai", "available from"),
    "batch": Bilingual("angkatan produksi", "batch"),
    "batches": Bilingual("angkatan produksi", "batches"),
    "biaya_produksi": Bilingual("biaya produksi", "production cost"),
    "books": Bilingual("buku", "books"),
    "certified_units": Bilingual("unit bersertifikat", "certified units"),
    "check_url": Bilingual("alamat pada kertas", "address on the paper"),
    "checks": Bilingual("diperiksa", "checked"),
    "competent_makers": Bilingual("pembuat kompeten", "competent makers"),
    "credit": Bilingual("kredit", "credit"),
    "debit": Bilingual("debit", "debit"),
    "did": Bilingual("DID penerbit", "DID of the issuer"),
    "eighth": Bilingual("pembeli kedelapan", "eighth buyer"),
    "employer": Bilingual("pemberi kerja", "employer"),
    "expected_release_month": Bilingual("perkiraan bulan bebas", "expected month of release"),
    "facility": Bilingual("UPT", "facility"),
    "feed_item": Bilingual("kabar di umpan", "item of the feed"),
    "file": Bilingual("berkas", "file"),
    "good": Bilingual("buah yang baik", "good pieces"),
    "lesson_hours": Bilingual("jam pelajaran", "lesson hours"),
    "lsp": Bilingual("LSP", "LSP"),
    "minutes": Bilingual("menit hadir", "minutes attended"),
    "modal": Bilingual("modal", "capital"),
    "month": Bilingual("bulan", "month"),
    "name_disclosed": Bilingual("nama dibuka", "name disclosed"),
    "no_token": Bilingual("tanpa token", "without a token"),
    "number": Bilingual("nomor", "number"),
    "other_prison": Bilingual("Lapas lain", "another prison"),
    "page": Bilingual("halaman periksa", "check page"),
    "pdf_bytes": Bilingual("besar PDF (bita)", "size of the PDF (bytes)"),
    "programmes": Bilingual("pelatihan", "programmes"),
    "provenance": Bilingual("asal-usul", "provenance"),
    "regencies": Bilingual("kabupaten", "regencies"),
    "row_errors": Bilingual("baris yang ditolak", "refused rows"),
    "rows": Bilingual("baris", "rows"),
    "scheme": Bilingual("skema", "scheme"),
    "seats": Bilingual("kursi", "seats"),
    "sessions": Bilingual("sesi", "sessions"),
    "skills": Bilingual("keahlian", "skills"),
    "sold": Bilingual("terjual", "sold"),
    "split": Bilingual("pembagian", "split"),
    "state": Bilingual("keadaan", "state"),
    "status": Bilingual("hasil", "result"),
    "timeline": Bilingual("lini masa", "timeline"),
    "title": Bilingual("judul", "title"),
    "total_idr": Bilingual("jumlah", "total"),
    "unit_cost_idr": Bilingual("biaya bahan per buah", "material cost per piece"),
    "units": Bilingual("unit", "units"),
    "unknown": Bilingual("orang yang tidak ada", "a person who does not exist"),
    "valid_until": Bilingual("berlaku sampai", "valid until"),
    "warnings": Bilingual("peringatan", "warnings"),
    "workshop_name": Bilingual("bengkel", "workshop"),
}
# Facts whose numbers are rupiah although their name has no unit.
_MONEY = {"split", "books"}


def format_facts(facts: dict[str, Any]) -> list[str]:
    """Return one line for each fact that a person understands; ids are left out."""
    lines: list[str] = []
    for name, value in facts.items():
        text = _format(value, is_money=name.endswith("_idr") or name in _MONEY)
        if text:
            lines.append(f"{_label(name)}: {text}")
    return lines


def rupiah(amount: int) -> str:
    """Return an amount as it is written in Indonesia."""
    return f"Rp{amount:,}".replace(",", ".")


def _label(name: str) -> str:
    return str(LABELS.get(name, name.replace("_", " ")))


def _format(value: Any, *, is_money: bool) -> str:
    """Return a value as text; empty for nothing and for an id."""
    if isinstance(value, bool):
        return choose("ya", "yes") if value else choose("tidak", "no")
    if isinstance(value, int):
        return rupiah(value) if is_money else str(value)
    if isinstance(value, dict):
        return _format_named(cast("dict[str, Any]", value), is_money=is_money)
    if isinstance(value, list | tuple):
        return _format_items(cast("list[Any]", value), is_money=is_money)
    return "" if value is None or _is_id(str(value)) else str(value)


def _format_named(values: dict[str, Any], *, is_money: bool) -> str:
    parts: list[str] = []
    for name, value in values.items():
        text = _format(value, is_money=is_money or name.endswith("_idr"))
        if text:
            parts.append(
                f"{_label(name)} ({text})" if isinstance(value, dict) else f"{_label(name)} {text}"
            )
    return ", ".join(parts)


def _format_items(values: list[Any], *, is_money: bool) -> str:
    texts = [text for text in (_format(value, is_money=is_money) for value in values) if text]
    hidden = len(texts) - _MOST_ITEMS
    if hidden > 1:
        more = choose(f"dan {hidden} lagi", f"and {hidden} more")
        return "; ".join([*texts[:_MOST_ITEMS], more])
    return "; ".join(texts)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
