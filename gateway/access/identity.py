"""The caller as the gateway knows them. Not here: how that was established, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A verified caller: role and typed claims (row scopes), on whose behalf and by which letter, what of the role is `forbidden`, a system's `quota` of calls a day.

    `place` is by what a user is distrusted for one of their places alone (gateway/access/users). `issued_at` and `expires_at` are epoch seconds; `scope` is equal only for equal rights.
    """

    subject: str
    role: str
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    token_id: str = ""
    issued_at: float = 0.0
    expires_at: float = 0.0
    grant_id: str = ""
    session_id: str = ""
    on_behalf_of: str = ""
    letter: str = ""
    home_subject: str = ""
    forbidden_permissions: frozenset[str] = frozenset()
    calls_per_day: int | None = None

    @property
    def rights(self) -> Hashable:
        """Role and claims, and what a grant says beside them, to be compared."""
        return (
            self.role,
            frozenset(self.claims.items()),
            self.on_behalf_of,
            self.forbidden_permissions,
        )


ANONYMOUS = Identity(subject="public", role="public")
