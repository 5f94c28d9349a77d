"""Why an event is parked, in the words of the person who must act. Not here: who parks it, and the technical reason itself (inbox, events)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chassis import texts
from chassis.errors import DomainError


class Words(NamedTuple):
    """What failed, and what to do, for Indonesian readers first; then both in English."""

    what: str
    todo: str
    english: str


BEHIND, REFUSED, READY = "waits behind", "refused by the broker", "nothing in the way any more"
_WORDS = {
    beginning: Words(one["what"], one["todo"], one["english"])
    for one in texts.read("parked")
    for beginning in one["reasons"]
}


def explain(reason: str) -> dict[str, str]:
    """The reason, what failed, and what the person who acts has to do, in Indonesian, then in English; all empty when nothing failed."""
    return {"reason": reason, **(_words(reason) if reason else Words("", "", ""))._asdict()}


def _words(reason: str) -> Words:
    if title := {kind.code: kind.title for kind in _below(DomainError)}.get(reason):
        todo = "Perbaiki data yang menghalanginya, lalu ulangi; buang hanya bila peristiwa ini memang tidak berlaku."
        english = f"A rule of the service says no ({reason}). Mend the data that is in its way, then retry; discard it only if it must never take effect."
        return Words(f"Ditolak oleh aturan layanan: {title}.", todo, english)
    if known := next(
        (words for beginning, words in _WORDS.items() if reason.startswith(beginning)), None
    ):
        return known
    todo, english = (
        "Laporkan kepada pengembang; ulangi setelah layanan diperbaiki.",
        "Tell the developers; retry when the service is mended.",
    )
    return Words(
        f"Layanan gagal memprosesnya ({reason}).",
        todo,
        f"The service failed at it ({reason}). {english}",
    )


def _below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
