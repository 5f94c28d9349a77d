"""What the routes of the own issuer work with. Not here: the routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from chassis.errors import NotFound
from chassis.http import dependencies
from chassis.persistence.transactions import Runner
from gateway.access.accounts.passkeys import Place
from gateway.access.builtin_issuer import OwnIssuer
from gateway.access.hashing import Passwords
from gateway.access.transaction import Transaction


class NoOwnIssuer(NotFound):
    """Sign-in is at another issuer here."""

    title = "Masuk tidak dilakukan di sini"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSide:
    """The issuer, the hashing of passwords, and the place of passkeys."""

    issuer: OwnIssuer
    passwords: Passwords
    place: Place


def own_side(request: Request) -> OwnSide:
    """The own side; NoOwnIssuer where there is none."""
    found: OwnSide | None = request.app.state.own
    if found is None:
        raise NoOwnIssuer
    return found


async def once(request: Request) -> Runner[Transaction]:
    """A runner for what answers with a secret: it cannot be given again, so an Idempotency-Key means nothing here."""
    return await dependencies.runner(request, None)


Own = Annotated[OwnSide, Depends(own_side)]
Once = Annotated[Runner[Transaction], Depends(once)]
