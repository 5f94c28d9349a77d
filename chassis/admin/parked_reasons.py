"""Explanations of why an event is parked, for the operator who must act.

Not here: the technical reasons that they explain (messaging).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chassis import texts
from chassis.errors import DomainError


class Words(NamedTuple):
    """What failed and what to do in Indonesian, then both in English."""

    what: str
    todo: str
    english: str


BEHIND = "waits behind"
REFUSED = "refused by the broker"
READY = "nothing in the way any more"
_NO_WORDS = Words("", "", "")
_TEXTS = texts.read("parked")
_WORDS = {
    prefix: Words(text["what"], text["todo"], text["english"])
    for text in _TEXTS
    for prefix in text["reasons"]
}


def explain(reason: str) -> dict[str, str]:
    """Return the reason, what failed and what to do; all empty without a reason."""
    words = _words(reason) if reason else _NO_WORDS
    return {"reason": reason, **words._asdict()}


def _words(reason: str) -> Words:
    titles = {error.code: error.title for error in _subclasses(DomainError)}
    if title := titles.get(reason):
        return Words(
            f"Ditolak oleh aturan layanan: {title}.",
            "Perbaiki data yang menghalanginya, lalu ulangi; buang hanya bila peristiwa ini memang "
            "tidak berlaku.",
            f"A rule of the service refuses it ({reason}). Correct the data that is in its way, "
            "then retry; discard it only if it must never take effect.",
        )
    for prefix, words in _WORDS.items():
        if reason.startswith(prefix):
            return words
    return Words(
        f"Layanan gagal memprosesnya ({reason}).",
        "Laporkan kepada pengembang; ulangi setelah layanan diperbaiki.",
        f"The service failed to handle it ({reason}). Report it to the developers; retry when the "
        "service is repaired.",
    )


def _subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
