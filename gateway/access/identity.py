"""The verified caller.

Not here: how a token is verified (authn), what a role may do (permissions).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

# Issuer names under which users are stored. They do not change with the issuer's address.
BUILTIN_ISSUER = "urn:bina:own"
HOLDER_ISSUER = "urn:bina:holders"

API_AUDIENCE = "bina"
# On the certificate host nothing may name the product, not even the content of a token.
HOLDER_AUDIENCE = "sertifikat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A verified caller: role and typed claims, and what the acting grant adds or forbids.

    `on_behalf_of` and `letter` come from a deputy's grant. `calls_per_day` is a system's quota.
    `home_subject` names the user at one home, so that tokens can be revoked for that home alone.
    `issued_at` and `expires_at` are epoch seconds.
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
        """Return role, claims and restrictions: what an internal token holds beside the subject."""
        return (
            self.role,
            frozenset(self.claims.items()),
            self.on_behalf_of,
            self.forbidden_permissions,
        )


ANONYMOUS = Identity(subject="public", role="public")
