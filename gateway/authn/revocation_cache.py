"""Revocations in memory, looked up on every request.

Not here: who revokes (access/revocations).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.access.identity import Identity


class RevocationCache:
    """Revoked tokens and sessions, and subjects with the time of revocation (epoch seconds).

    `is_loaded` is False until the first load; the gateway accepts no token before it.
    """

    def __init__(self) -> None:
        self.is_loaded = False
        self._token_ids: set[str] = set()
        self._session_ids: set[str] = set()
        self._subjects: dict[str, float] = {}

    def replace_all(
        self,
        token_ids: Iterable[str],
        subjects: Iterable[tuple[str, float]],
        session_ids: Iterable[str] = (),
    ) -> None:
        """Replace the whole content."""
        self._token_ids = set(token_ids)
        self._subjects = dict(subjects)
        self._session_ids = set(session_ids)
        self.is_loaded = True

    def covers(self, identity: Identity) -> bool:
        """Return whether this caller's token, session or subject is revoked."""
        if identity.token_id in self._token_ids:
            return True
        if identity.session_id in self._session_ids:
            return True
        for subject in (identity.subject, identity.home_subject):
            revoked_until = self._subjects.get(subject)
            if revoked_until is not None and identity.issued_at <= revoked_until:
                return True
        return False
