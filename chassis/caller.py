"""Who asks: the caller, the actor and the calling service. Not here: how a token proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from chassis.errors import Forbidden

EVERYTHING = "*"


CLAIMS = frozenset(
    {"facility", "regency", "agency", "lsp", "employer", "koperasi", "assignment", "own"}
)


class Actor(NamedTuple):
    """Who acts, and for whom ("" = for nobody else). Four eyes are two hands of which neither acts for the other, nor both for the same one."""

    by: str
    on_behalf_of: str = ""

    def conflicts_with(self, other: Actor) -> bool:
        """Whether what needs two persons would be done by one."""
        return not ({*self} & {*other}) <= {""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: subject, role, permissions (`METHOD /template`) and typed claims. `system` = the service itself, which no scope narrows."""

    subject: str
    role: str
    permissions: frozenset[str] = frozenset()
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    on_behalf_of: str = ""
    system: bool = False

    @property
    def actor(self) -> Actor:
        """Who acts, and for whom."""
        return Actor(self.subject, self.on_behalf_of)

    def claim(self, name: str) -> frozenset[str]:
        """All values of a claim; empty when there is none."""
        return self.claims.get(name, frozenset())

    def single(self, name: str) -> str:
        """The single value of a claim; Forbidden when there is none or several."""
        values = self.claim(name)
        if len(values) != 1 or EVERYTHING in values:
            raise Forbidden(field=name)
        return next(iter(values))

    @property
    def facility(self) -> str:
        """The one facility that the caller belongs to; "" when there is none, or several."""
        values = self.claim("facility") - {EVERYTHING}
        return next(iter(values)) if len(values) == 1 else ""

    def sees(self, name: str, value: str) -> bool:
        """Whether this claim covers the value."""
        return self.system or value in self.claim(name) or EVERYTHING in self.claim(name)


def system(service: str) -> Caller:
    """The service itself."""
    return Caller(subject=f"service:{service}", role="system", system=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallingService:
    """Another service that asks an internal query, for one purpose, on behalf of the subject who asked it."""

    service: str
    purpose: str
    on_behalf_of: str = ""
