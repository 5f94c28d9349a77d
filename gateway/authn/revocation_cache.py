"""The tokens and subjects whose trust was withdrawn, as held in memory and asked on every request. Not here: who withdraws it (gateway/access/revocations)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.access.identity import Identity


class RevocationCache:
    """What is revoked now: single tokens by id, sessions, and every token of a subject that was issued up to a moment (epoch seconds).

    Until it was read once nobody can be believed: `known` is False.
    """

    def __init__(self) -> None:
        self.is_loaded = False
        self._tokens: set[str] = set()
        self._subjects: dict[str, float] = {}
        self._sessions: set[str] = set()

    def replace_all(
        self,
        tokens: Iterable[str],
        subjects: Iterable[tuple[str, float]],
        sessions: Iterable[str] = (),
    ) -> None:
        """Replace the whole set."""
        self._tokens, self._subjects, self._sessions = set(tokens), dict(subjects), set(sessions)
        self.is_loaded = True

    def covers(self, identity: Identity) -> bool:
        """Whether this caller's trust was withdrawn."""
        if identity.token_id in self._tokens or identity.session_id in self._sessions:
            return True
        return any(
            until is not None and identity.issued_at <= until
            for until in (
                self._subjects.get(identity.subject),
                self._subjects.get(identity.home_subject),
            )
        )
