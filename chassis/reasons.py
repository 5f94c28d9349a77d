"""Why an event is parked, in the words of the person who must act. Not here: who parks it, and the technical reason itself (inbox, events)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chassis.errors import DomainError


class Words(NamedTuple):
    """What failed, and what to do, for Indonesian readers first; then both in English."""

    what: str
    todo: str
    english: str


BEHIND, REFUSED, READY = "waits behind", "refused by the broker", "nothing in the way any more"
_SENDER = "Minta pengirimnya mengirim yang benar, lalu buang peristiwa ini dengan menyebutkan alasannya."
_ASK = "Have its sender send the right one, then discard this one with a reason."
_DUPLICATE = Words(
    "Data yang sama sudah ada.",
    "Periksa data itu; buang peristiwa ini bila isinya memang sudah tercatat.",
    "The same is there already. Look at it; discard the event if what it says is recorded.",
)
_WORDS = {  # by the beginning of the technical reason
    BEHIND: Words(
        "Menunggu peristiwa sebelumnya dengan kunci yang sama.",
        "Selesaikan dahulu peristiwa pertama dalam urutan ini, lalu ulangi.",
        "Waits behind an earlier event of its key. Settle the first of the sequence, then retry.",
    ),
    READY: Words("Tidak ada lagi yang menghalangi urutan ini.", "Ulangi urutan ini.", "Nothing is in the way of this sequence any more. Retry it."),
    "version not known": Words(
        "Versi peristiwa ini lebih baru daripada layanan ini.", "Perbarui layanan ini, lalu ulangi.", "Its version is newer than this service. Update the service, then retry."
    ),
    "fields that do not fit": Words("Isinya tidak sesuai dengan yang dijanjikan pengirimnya.", _SENDER, f"Its body is not what its sender has promised. {_ASK}"),
    "the body": Words("Isinya tidak dapat dibaca.", _SENDER, f"Its body cannot be read. {_ASK}"),
    "the record has no": Words("Kunci atau isinya tidak ada.", _SENDER, f"Its key or its body is missing. {_ASK}"),
    "not known yet": Words(
        "Yang dibicarakannya belum dikenal di sini.", "Ulangi setelah data yang dibicarakannya masuk.", "What it speaks of is not known here yet. Retry when that has come."
    ),
    "DuplicateKey: ": _DUPLICATE,
    "duplicate: ": _DUPLICATE,
    "DocumentRefused: ": Words(
        "Basis data menolak hasilnya karena tidak sesuai dengan aturan penyimpanannya.",
        "Laporkan kepada pengembang; ulangi setelah layanan diperbaiki.",
        "The database refuses what came of it. Tell the developers; retry when the service is mended.",
    ),
    REFUSED: Words(
        "Kafka menolak peristiwa ini, biasanya karena terlalu besar.",
        "Naikkan batas ukuran pada broker, lalu ulangi: yang sudah tercatat tidak dapat dibuang.",
        "Kafka refuses it, mostly because it is too large. Raise the broker's limit, then retry: what is committed cannot be discarded.",
    ),
    **dict.fromkeys(
        ("header missing", "ce_", "a header has", "key or headers"), Words("Kepala (header) peristiwa ini rusak.", _SENDER, f"Its headers are missing or malformed. {_ASK}")
    ),
}


def in_words(reason: str) -> dict[str, str]:
    """The reason, what failed, and what the person who acts has to do, in Indonesian, then in English; all empty when nothing failed."""
    return {"reason": reason, **(_words(reason) if reason else Words("", "", ""))._asdict()}


def _words(reason: str) -> Words:
    if title := {kind.code: kind.title for kind in _below(DomainError)}.get(reason):
        todo = "Perbaiki data yang menghalanginya, lalu ulangi; buang hanya bila peristiwa ini memang tidak berlaku."
        english = f"A rule of the service says no ({reason}). Mend the data that is in its way, then retry; discard it only if it must never take effect."
        return Words(f"Ditolak oleh aturan layanan: {title}.", todo, english)
    if known := next((words for beginning, words in _WORDS.items() if reason.startswith(beginning)), None):
        return known
    todo, english = "Laporkan kepada pengembang; ulangi setelah layanan diperbaiki.", "Tell the developers; retry when the service is mended."
    return Words(f"Layanan gagal memprosesnya ({reason}).", todo, f"The service failed at it ({reason}). {english}")


def _below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
