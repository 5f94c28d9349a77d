"""The caller of a request, its actor, and the calling service of an internal query.

Not here: how a token proves them (http.internal_tokens).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from chassis.errors import Forbidden

# Wildcard: a claim with this value covers every value.
EVERYTHING = "*"

CLAIMS = frozenset(
    {"facility", "regency", "agency", "lsp", "employer", "koperasi", "assignment", "own"}
)


class Actor(NamedTuple):
    """The subject that acts, and the one it acts for ("" = itself); RFC 8693 has the model."""

    by: str
    on_behalf_of: str = ""

    def conflicts_with(self, other: Actor) -> bool:
        """Return whether the two must not take part in one decision (segregation of duties).

        They conflict if they are the same subject, if one acts for the other, or if both act for
        the same subject.
        """
        ours = {self.by, self.on_behalf_of} - {""}
        theirs = {other.by, other.on_behalf_of} - {""}
        return not ours.isdisjoint(theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller of a request: subject, role, permissions (`METHOD /template`), typed claims.

    `system` marks a service, this one or a calling one: no scope filters its queries.
    """

    subject: str
    role: str
    permissions: frozenset[str] = frozenset()
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    on_behalf_of: str = ""
    system: bool = False

    @property
    def actor(self) -> Actor:
        """Return the subject that acts and the one it acts for."""
        return Actor(self.subject, self.on_behalf_of)

    def claim(self, name: str) -> frozenset[str]:
        """Return all values of a claim; empty if there is none."""
        return self.claims.get(name, frozenset())

    def single(self, name: str) -> str:
        """Return the single value of a claim. Raises Forbidden if it has none or several."""
        values = self.claim(name)
        if len(values) != 1 or EVERYTHING in values:
            raise Forbidden(field=name)
        return next(iter(values))

    @property
    def facility(self) -> str:
        """Return the facility of the caller; "" if the caller has none or several."""
        values = self.claim("facility") - {EVERYTHING}
        return next(iter(values)) if len(values) == 1 else ""

    def sees(self, name: str, value: str) -> bool:
        """Return whether this claim covers the value."""
        return self.system or value in self.claim(name) or EVERYTHING in self.claim(name)


def system(service: str) -> Caller:
    """Return the service itself as caller."""
    return Caller(subject=f"service:{service}", role="system", system=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingService:
    """Another service that asks an internal query for one purpose, on behalf of a subject."""

    service: str
    purpose: str
    on_behalf_of: str = ""
