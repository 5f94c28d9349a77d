"""The composition root: what stands between the outside and the services, in order; nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from chassis.admin import auditor_api
from chassis.app import factory
from chassis.http.internal_tokens import Signer
from gateway.accounts import api as accounts
from gateway.accounts.passkeys import Place
from gateway.attendance import OpenStreams
from gateway.calls import Calls
from gateway.cards import api as cards
from gateway.clients import api as clients
from gateway.documents import Documents
from gateway.door import Door
from gateway.explaining import api as explaining
from gateway.grants import api as grants
from gateway.hashing import Passwords
from gateway.health import Readiness, ServicesHealth
from gateway.identity import development, issuers
from gateway.identity.book import Book
from gateway.identity.tokens import Tokens
from gateway.identity.withdrawn import Revocations
from gateway.lifetime import GatewayLifetime
from gateway.middleware import (
    answers,
    authentication,
    authorisation,
    bodies,
    breakers,
    browsers,
    cors,
    deadlines,
    front,
    hosts,
    in_flight,
    internal_tokens,
    metering,
    own_pages,
    quotas,
    rates,
    retries,
    routing,
    tracing,
    witness,
)
from gateway.oauth import api as oauth
from gateway.own_side import OwnSide
from gateway.permissions import RULES, Rules
from gateway.reload import Routes
from gateway.revocations import api as revocations
from gateway.routes import Group
from gateway.sessions import api as sessions
from gateway.signins import api as signins
from gateway.transaction import Transaction
from gateway.upstream import Upstream
from gateway.users import api as users

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from gateway.settings import GatewaySettings

DOCUMENT_SECONDS = 5.0
ROUTERS = (
    users.router,
    users.internal,
    grants.router,
    grants.internal,
    clients.router,
    clients.internal,
    accounts.router,
    signins.router,
    sessions.router,
    oauth.router,
    explaining.router,
    cards.router,
    cards.internal,
    revocations.internal,
    auditor_api.router("gateway"),
)


def create_app(settings: GatewaySettings, rules: Rules = RULES) -> Door:
    """The gateway. RoutesInvalid when routes.toml cannot be used."""
    routes = Routes(settings.routes_file, rules)
    withdrawn = Revocations()
    streams = OpenStreams(withdrawn)
    upstream = Upstream(settings.places, streams)
    own = issuers.own_issuer(settings)
    parts = {
        "own": OwnSide(issuer=own, passwords=Passwords(), place=Place(own.name)) if own else None,
        "holders": issuers.holders(settings, own) if own else None,
        "routes": routes,
    }
    internal = factory.create_app(
        factory.Service(
            name="gateway", settings=settings, transaction=Transaction, routers=ROUTERS, parts=parts
        ),
        lifetime=GatewayLifetime,
    )
    life: GatewayLifetime = internal.state.life
    life.withdrawn = withdrawn
    book = Book(life.engine, withdrawn)
    readiness = Readiness(life.missing)
    windows, calls = rates.Windows(time.time, settings.replica), Calls(time.time)
    development_key = issuers.development_key(settings)
    jwks = [
        *([development.public_jwk(development_key)] if development_key else []),
        *(own.jwks if own else []),
    ]

    async def document(service: str) -> Mapping[str, Any]:
        _, content = await upstream.read(service, "/openapi.json", DOCUMENT_SECONDS)
        return content

    public = stacked(
        upstream,
        partial(
            hosts.HostGroups,
            names={name: group for group in Group for name in settings.hosts_of(group)},
            ports=settings.ports,
            proxies=settings.trusted_proxies,
        ),
        tracing.RequestIds,
        metering.Metering,
        answers.Answers,
        partial(browsers.BrowserHeaders, https=settings.environment == "production"),
        partial(cors.Cors, origins=settings.cors_origins),
        partial(
            own_pages.OwnPages,
            documents=Documents(routes, document, time.monotonic),
            jwks=jwks,
            discovery=own.document() if own else None,
            is_ready=readiness,
        ),
        front.NeutralFront,
        partial(routing.Routing, routes=routes),
        bodies.BodyLimit,
        partial(
            authentication.Authentication,
            tokens=Tokens(issuers.trusted(settings, own, book.identity_of), withdrawn, time.time),
        ),
        authorisation.Authorisation,
        partial(rates.RateLimit, windows=windows),
        partial(quotas.Quota, calls=calls),
        partial(witness.Witness, record=book.witness),
        partial(in_flight.InFlightCap, routes=routes),
        deadlines.Deadlines,
        retries.Retries,
        partial(breakers.CircuitBreakers, places=settings.places, clock=time.monotonic),
        partial(
            internal_tokens.InternalTokens,
            signer=Signer("gateway", settings.signing_key.get_secret_value()),
            rules=rules,
            clock=time.monotonic,
        ),
    )
    life.door = lambda: {
        "routes": {
            "generation": routes.generation,
            "count": len(routes.table.routes),
            "problems": list(routes.problems),
        }
    }
    inside = ServicesHealth(
        internal, [place for place in settings.places if place != "gateway"], upstream
    )
    return Door(
        public=public,
        inside=inside,
        internal=internal,
        internal_port=settings.internal_port,
        routes=routes,
        upstream=upstream,
        streams=streams,
        book=book,
        windows=windows,
        calls=calls,
        readiness=readiness,
    )


def stacked(inner: ASGIApp, *layers: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """The app with these layers around it, the first one outermost."""
    app = inner
    for layer in reversed(layers):
        app = layer(app)
    return app
