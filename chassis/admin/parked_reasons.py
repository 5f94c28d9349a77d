"""Explanations of why an event is parked, for the operator who must act.

Not here: the technical reasons that they explain (messaging).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chassis.errors import DomainError
from chassis.texts import TEXTS, Text

BEHIND = "waits behind"
REFUSED = "refused by the broker"
READY = "nothing in the way any more"
# The text of `parked` by the beginning of the technical reason.
_CODES = {
    BEHIND: "behind",
    READY: "ready",
    "version not known": "version",
    "fields that do not fit": "fields",
    "the body": "body",
    "the record has no": "record",
    "an id or a key is too long": "too_long",
    "not known yet": "not_known",
    "DuplicateKey: ": "duplicate",
    "duplicate: ": "duplicate",
    "DocumentRefused: ": "document_refused",
    REFUSED: "broker",
    "header missing": "headers",
    "ce_": "headers",
    "a header has": "headers",
    "key or headers": "headers",
}
_NO_TEXT = Text(id="", en="")


class Words(NamedTuple):
    """What failed and what to do."""

    what: Text
    todo: Text


def explain(reason: str) -> dict[str, str]:
    """Return the reason, what failed and what to do; all empty without a reason."""
    words = _words(reason) if reason else Words(_NO_TEXT, _NO_TEXT)
    return {
        "reason": reason,
        "what": words.what.localised,
        "todo": words.todo.localised,
    }


def _words(reason: str) -> Words:
    titles = {error.code: error.title for error in _subclasses(DomainError)}
    if title := titles.get(reason):
        return Words(TEXTS["parked.rule.what"].format(title=title), TEXTS["parked.rule.todo"])
    codes = (code for beginning, code in _CODES.items() if reason.startswith(beginning))
    code = next(codes, "other")
    what = TEXTS[f"parked.{code}.what"].format(reason=reason)
    return Words(what, TEXTS[f"parked.{code}.todo"])


def _subclasses(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)
