"""FastAPI dependencies for the routes of the built-in issuer. Not here: the routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from chassis.errors import NotFound
from chassis.http import dependencies
from chassis.persistence.transactions import Runner
from gateway.access.accounts.passkeys import RelyingParty
from gateway.access.builtin_issuer import BuiltInIssuer
from gateway.access.hashing import Passwords
from gateway.access.transaction import Transaction
from gateway.texts import TEXTS


class NoBuiltInIssuer(NotFound):
    """The installation has no built-in issuer; users sign in at another one."""

    code = "no_own_issuer"
    title = TEXTS["errors.no_own_issuer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerDependencies:
    """The issuer, the password hasher, and the relying party of passkeys.

    `assertion_audiences` are the names of the token endpoint that a client's assertion may have.
    """

    issuer: BuiltInIssuer
    assertion_audiences: frozenset[str]
    password_hasher: Passwords
    relying_party: RelyingParty


def require_issuer(request: Request) -> IssuerDependencies:
    """Return the issuer's dependencies. Raises NoBuiltInIssuer."""
    found: IssuerDependencies | None = request.app.state.own
    if found is None:
        raise NoBuiltInIssuer
    return found


async def non_repeatable_run(request: Request) -> Runner[Transaction]:
    """Return a runner that ignores the Idempotency-Key.

    The response contains a secret, which is not stored and cannot be repeated.
    """
    return await dependencies.runner(request, None)


IssuerDeps = Annotated[IssuerDependencies, Depends(require_issuer)]
NonRepeatableRun = Annotated[Runner[Transaction], Depends(non_repeatable_run)]
