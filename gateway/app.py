"""The composition root: what stands between the outside and the services, in order; nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from chassis.admin import auditor_api
from chassis.app import factory, service
from chassis.http.internal_tokens import InternalTokenSigner
from gateway.access.accounts import api as accounts
from gateway.access.accounts.passkeys import RelyingParty
from gateway.access.cards import api as cards
from gateway.access.clients import api as clients
from gateway.access.clients.daily_quota import QuotaCounter
from gateway.access.explanations import api as explaining
from gateway.access.grants import api as grants
from gateway.access.hashing import Passwords
from gateway.access.issuer_dependencies import IssuerDependencies
from gateway.access.oauth import api as oauth
from gateway.access.permissions import ROLE_PERMISSIONS, RolePermissions
from gateway.access.revocations import api as revocations
from gateway.access.sessions import api as sessions
from gateway.access.sign_ins import api as signins
from gateway.access.transaction import Transaction
from gateway.access.users import api as users
from gateway.asgi import GatewayApp
from gateway.authn import dev_issuer, issuers
from gateway.authn.directory import CallerDirectory
from gateway.authn.revocation_cache import RevocationCache
from gateway.authn.tokens import TokenVerifier
from gateway.health import Readiness, ServicesHealth
from gateway.lifespan import GatewayRuntime
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
from gateway.routing.reloader import RouteReloader
from gateway.routing.table import Group
from gateway.upstream.cancellation import OpenStreams
from gateway.upstream.client import UpstreamClient

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from gateway.settings import GatewaySettings

DOCUMENT_TIMEOUT_SECONDS = 5.0
ROUTERS = (
    users.router,
    users.internal_api,
    grants.router,
    grants.internal_api,
    clients.router,
    clients.internal_api,
    accounts.router,
    signins.router,
    sessions.router,
    oauth.router,
    explaining.router,
    cards.router,
    cards.internal_api,
    revocations.internal_api,
    auditor_api.create_router("gateway"),
)


def create_app(
    settings: GatewaySettings, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> GatewayApp:
    """The gateway. RoutesInvalid when routes.toml cannot be used."""
    routes = RouteReloader(settings.routes_file, role_permissions)
    withdrawn = RevocationCache()
    streams = OpenStreams(withdrawn)
    upstream = UpstreamClient(settings.upstream_urls, streams)
    own = issuers.build_builtin_issuer(settings)
    ports = {
        "own": IssuerDependencies(
            issuer=own, password_hasher=Passwords(), relying_party=RelyingParty(own.name)
        )
        if own
        else None,
        "holders": issuers.build_holder_issuer(settings, own) if own else None,
        "routes": routes,
    }
    internal = factory.create_app(
        service.Service(
            name="gateway", settings=settings, transaction=Transaction, routers=ROUTERS, ports=ports
        ),
        lifetime=GatewayRuntime,
    )
    life: GatewayRuntime = internal.state.life
    life.revocation_cache = withdrawn
    book = CallerDirectory(life.engine, withdrawn)
    readiness = Readiness(life.missing)
    windows, calls = rate_limit.RateWindows(time.time, settings.replica), QuotaCounter(time.time)
    development_key = issuers.load_development_key(settings)
    jwks = [
        *([dev_issuer.public_jwk(development_key)] if development_key else []),
        *(own.jwks if own else []),
    ]

    async def document(service: str) -> Mapping[str, Any]:
        _, content = await upstream.get_json(service, "/openapi.json", DOCUMENT_TIMEOUT_SECONDS)
        return content

    public = stack_middlewares(
        upstream,
        partial(
            host_groups.HostGroups,
            names={name: group for group in Group for name in settings.hosts_for(group)},
            ports=settings.ports,
            proxies=settings.trusted_proxies,
        ),
        tracing.RequestIds,
        access_log.AccessLog,
        problem_responses.ProblemResponses,
        partial(security_headers.SecurityHeaders, https=settings.environment == "production"),
        partial(cors.Cors, origins=settings.cors_origins),
        partial(
            builtin_endpoints.BuiltInEndpoints,
            documents=Documents(routes, document, time.monotonic),
            jwks=jwks,
            discovery=own.discovery_document() if own else None,
            is_ready=readiness,
        ),
        neutral_responses.NeutralResponses,
        partial(routing.Routing, routes=routes),
        body_limit.BodyLimit,
        partial(
            authentication.Authentication,
            token_verifier=TokenVerifier(
                issuers.build_trusted_issuers(settings, own, book.resolve_identity),
                withdrawn,
                time.time,
            ),
        ),
        authorisation.Authorisation,
        partial(rate_limit.RateLimit, windows=windows),
        partial(daily_quota.DailyQuota, counter=calls),
        partial(audited_reads.AuditedReads, record=book.record_audited_read),
        partial(concurrency_limit.ConcurrencyLimit, routes=routes),
        timeouts.Timeouts,
        retries.Retries,
        partial(
            circuit_breaker.CircuitBreakers, targets=settings.upstream_urls, clock=time.monotonic
        ),
        partial(
            internal_tokens.InternalTokens,
            signer=InternalTokenSigner("gateway", settings.signing_key.get_secret_value()),
            role_permissions=role_permissions,
            clock=time.monotonic,
        ),
    )
    life.proxy_status = lambda: {
        "routes": {
            "generation": routes.generation,
            "count": len(routes.table.routes),
            "problems": list(routes.problems),
        }
    }
    inside = ServicesHealth(
        internal, [place for place in settings.upstream_urls if place != "gateway"], upstream
    )
    return GatewayApp(
        public_app=public,
        internal_app=inside,
        internal_api=internal,
        internal_port=settings.internal_port,
        route_reloader=routes,
        upstream=upstream,
        open_streams=streams,
        caller_directory=book,
        rate_windows=windows,
        quota_counter=calls,
        readiness=readiness,
    )


def stack_middlewares(inner: ASGIApp, *middlewares: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """The app with these layers around it, the first one outermost."""
    app = inner
    for layer in reversed(middlewares):
        app = layer(app)
    return app
