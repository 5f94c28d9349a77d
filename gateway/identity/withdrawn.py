"""The tokens and subjects whose trust was withdrawn, as held in memory and asked on every request. Not here: who withdraws it (gateway/revocations)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.identity.caller import Identity


class Revocations:
    """What is revoked now: single tokens by id, and every token of a subject that was issued up to a moment (epoch seconds).

    Until it was read once nobody can be believed: `known` is False.
    """

    def __init__(self) -> None:
        self.known = False
        self._tokens: set[str] = set()
        self._subjects: dict[str, float] = {}

    def put(self, tokens: Iterable[str], subjects: Iterable[tuple[str, float]]) -> None:
        """Replace the whole set."""
        self._tokens, self._subjects = set(tokens), dict(subjects)
        self.known = True

    def cover(self, identity: Identity) -> bool:
        """Whether this caller's trust was withdrawn."""
        until = self._subjects.get(identity.subject)
        return identity.token_id in self._tokens or (until is not None and identity.issued_at <= until)
