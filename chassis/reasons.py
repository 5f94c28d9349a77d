"""Why an event is parked, in the words of the person who must act. Not here: who parks it, and the technical reason itself (inbox, events)."""

from __future__ import annotations

from collections.abc import Iterator

from chassis.errors import DomainError

BEHIND, REFUSED, READY = "waits behind", "refused by the broker", "nothing in the way any more"
_SENDER = "Minta pengirimnya mengirim yang benar, lalu buang peristiwa ini dengan menyebutkan alasannya."
_WORDS = (  # beginning of the technical reason, what failed, what to do; the last one that fits all is for headers
    (BEHIND, "Menunggu peristiwa sebelumnya dengan kunci yang sama.", "Selesaikan dahulu peristiwa pertama dalam urutan ini, lalu ulangi."),
    (READY, "Tidak ada lagi yang menghalangi urutan ini.", "Ulangi urutan ini."),
    ("version not known", "Versi peristiwa ini lebih baru daripada layanan ini.", "Perbarui layanan ini, lalu ulangi."),
    ("fields that do not fit", "Isinya tidak sesuai dengan yang dijanjikan pengirimnya.", _SENDER),
    ("the body", "Isinya tidak dapat dibaca.", _SENDER),
    ("the record has no", "Kunci atau isinya tidak ada.", _SENDER),
    ("not known yet", "Yang dibicarakannya belum dikenal di sini.", "Ulangi setelah data yang dibicarakannya masuk."),
    ("duplicate: ", "Data yang sama sudah ada.", "Periksa data itu; buang peristiwa ini bila isinya memang sudah tercatat."),
    (REFUSED, "Kafka menolak peristiwa ini, biasanya karena terlalu besar.", "Naikkan batas ukuran pada broker, lalu ulangi: yang sudah tercatat tidak dapat dibuang."),
    ("", "Kepala (header) peristiwa ini rusak.", _SENDER),
)


def in_words(reason: str) -> dict[str, str]:
    """The reason, what failed, and what the person who acts has to do, in Indonesian; all empty when nothing failed."""
    if not reason:
        return {"reason": "", "what": "", "todo": ""}
    what, todo = next((what, todo) for beginning, what, todo in _WORDS if reason.startswith(beginning))
    if title := {kind.code: kind.title for kind in _below(DomainError)}.get(reason):
        what, todo = f"Ditolak oleh aturan layanan: {title}.", "Perbaiki data yang menghalanginya, lalu ulangi; buang hanya bila peristiwa ini memang tidak berlaku."
    elif reason.isidentifier() and todo == _SENDER:  # the name of an exception that nobody expected
        what, todo = f"Layanan gagal memprosesnya ({reason}).", "Laporkan kepada pengembang; ulangi setelah layanan diperbaiki."
    return {"reason": reason, "what": what, "todo": todo}


def _below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
