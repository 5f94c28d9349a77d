"""The composition root: what stands between the outside and the services, in order; nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from chassis.admin import auditor_api
from chassis.app import factory, service
from chassis.http.internal_tokens import Signer
from gateway.access.accounts import api as accounts
from gateway.access.accounts.passkeys import Place
from gateway.access.cards import api as cards
from gateway.access.clients import api as clients
from gateway.access.clients.daily_quota import Calls
from gateway.access.explanations import api as explaining
from gateway.access.grants import api as grants
from gateway.access.hashing import Passwords
from gateway.access.issuer_dependencies import OwnSide
from gateway.access.oauth import api as oauth
from gateway.access.permissions import RULES, Rules
from gateway.access.revocations import api as revocations
from gateway.access.sessions import api as sessions
from gateway.access.sign_ins import api as signins
from gateway.access.transaction import Transaction
from gateway.access.users import api as users
from gateway.asgi import Door
from gateway.authn import dev_issuer, issuers
from gateway.authn.directory import Book
from gateway.authn.revocation_cache import Revocations
from gateway.authn.tokens import Tokens
from gateway.health import Readiness, ServicesHealth
from gateway.lifespan import GatewayLifetime
from gateway.middleware import (
    access_log,
    audited_reads,
    authentication,
    authorisation,
    body_limit,
    builtin_endpoints,
    circuit_breaker,
    concurrency_limit,
    cors,
    daily_quota,
    host_groups,
    internal_tokens,
    neutral_responses,
    problem_responses,
    rate_limit,
    retries,
    routing,
    security_headers,
    timeouts,
    tracing,
)
from gateway.openapi.documents import Documents
from gateway.routing.reloader import Routes
from gateway.routing.table import Group
from gateway.upstream.cancellation import OpenStreams
from gateway.upstream.client import Upstream

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
        service.Service(
            name="gateway", settings=settings, transaction=Transaction, routers=ROUTERS, parts=parts
        ),
        lifetime=GatewayLifetime,
    )
    life: GatewayLifetime = internal.state.life
    life.withdrawn = withdrawn
    book = Book(life.engine, withdrawn)
    readiness = Readiness(life.missing)
    windows, calls = rate_limit.Windows(time.time, settings.replica), Calls(time.time)
    development_key = issuers.development_key(settings)
    jwks = [
        *([dev_issuer.public_jwk(development_key)] if development_key else []),
        *(own.jwks if own else []),
    ]

    async def document(service: str) -> Mapping[str, Any]:
        _, content = await upstream.read(service, "/openapi.json", DOCUMENT_SECONDS)
        return content

    public = stacked(
        upstream,
        partial(
            host_groups.HostGroups,
            names={name: group for group in Group for name in settings.hosts_of(group)},
            ports=settings.ports,
            proxies=settings.trusted_proxies,
        ),
        tracing.RequestIds,
        access_log.Metering,
        problem_responses.Answers,
        partial(security_headers.BrowserHeaders, https=settings.environment == "production"),
        partial(cors.Cors, origins=settings.cors_origins),
        partial(
            builtin_endpoints.OwnPages,
            documents=Documents(routes, document, time.monotonic),
            jwks=jwks,
            discovery=own.document() if own else None,
            is_ready=readiness,
        ),
        neutral_responses.NeutralFront,
        partial(routing.Routing, routes=routes),
        body_limit.BodyLimit,
        partial(
            authentication.Authentication,
            tokens=Tokens(issuers.trusted(settings, own, book.identity_of), withdrawn, time.time),
        ),
        authorisation.Authorisation,
        partial(rate_limit.RateLimit, windows=windows),
        partial(daily_quota.Quota, calls=calls),
        partial(audited_reads.Witness, record=book.witness),
        partial(concurrency_limit.InFlightCap, routes=routes),
        timeouts.Deadlines,
        retries.Retries,
        partial(circuit_breaker.CircuitBreakers, places=settings.places, clock=time.monotonic),
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
