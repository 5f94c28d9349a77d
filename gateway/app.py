"""The composition root: builds the gateway's parts and orders its middlewares."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from chassis.admin import auditor_api
from chassis.app import factory, service
from chassis.errors import PROBLEM
from chassis.http.internal_tokens import InternalTokenSigner
from chassis.http.languages import Languages
from gateway.access.accounts import api as accounts
from gateway.access.accounts.passkeys import RelyingParty
from gateway.access.builtin_issuer import TOKEN_PATH
from gateway.access.cards import api as cards
from gateway.access.clients import api as clients
from gateway.access.explanations import api as explanations
from gateway.access.grants import api as grants
from gateway.access.hashing import Passwords
from gateway.access.interface import QuotaCounter
from gateway.access.issuer_dependencies import IssuerDependencies
from gateway.access.jwk import public_jwk
from gateway.access.migrations import MIGRATIONS
from gateway.access.oauth import api as oauth
from gateway.access.permissions import ROLE_PERMISSIONS, RolePermissions
from gateway.access.revocations import api as revocations
from gateway.access.sessions import api as sessions
from gateway.access.sign_ins import api as sign_ins
from gateway.access.transaction import Transaction
from gateway.access.users import api as users
from gateway.asgi import GatewayApp
from gateway.authn import issuers
from gateway.authn.directory import CallerDirectory
from gateway.authn.revocation_cache import RevocationCache
from gateway.authn.tokens import TokenVerifier
from gateway.health import Readiness, ServicesHealth
from gateway.host_group import Group
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
    response_headers,
    retries,
    routing,
    security_headers,
    timeouts,
    tracing,
)
from gateway.middleware.rate_windows import RateWindows
from gateway.openapi.documents import Documents
from gateway.routing.reloader import RouteReloader
from gateway.upstream.cancellation import OpenStreams
from gateway.upstream.client import UpstreamClient

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from gateway.access.builtin_issuer import BuiltInIssuer
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
    sign_ins.router,
    sessions.router,
    oauth.router,
    explanations.router,
    cards.router,
    cards.internal_api,
    revocations.internal_api,
    auditor_api.create_router("gateway"),
)


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """The objects that the middlewares share."""

    settings: GatewaySettings
    role_permissions: RolePermissions
    routes: RouteReloader
    builtin_issuer: BuiltInIssuer | None
    directory: CallerDirectory
    upstream: UpstreamClient
    rate_windows: RateWindows
    quota_counter: QuotaCounter
    readiness: Readiness


def create_app(
    settings: GatewaySettings, role_permissions: RolePermissions = ROLE_PERMISSIONS
) -> GatewayApp:
    """Return the gateway. Raises RoutesInvalid if routes.toml cannot be used."""
    routes = RouteReloader(settings.routes_file, role_permissions)
    builtin_issuer = issuers.build_builtin_issuer(settings)
    revocation_cache = RevocationCache()
    open_streams = OpenStreams(revocation_cache.covers)
    internal_api = _create_internal_api(settings, routes, builtin_issuer)
    runtime: GatewayRuntime = internal_api.state.life
    runtime.revocation_cache = revocation_cache
    runtime.proxy_status = partial(_describe_routes, routes)
    parts = _Parts(
        settings=settings,
        role_permissions=role_permissions,
        routes=routes,
        builtin_issuer=builtin_issuer,
        directory=CallerDirectory(runtime.engine, revocation_cache),
        upstream=UpstreamClient(settings.service_urls, open_streams),
        rate_windows=RateWindows(time.time, settings.replica),
        quota_counter=QuotaCounter(time.time),
        readiness=Readiness(runtime.missing),
    )
    other_services = [name for name in settings.service_urls if name != "gateway"]
    return GatewayApp(
        public_app=stack_middlewares(parts.upstream, *_middlewares(parts)),
        internal_app=ServicesHealth(internal_api, other_services, parts.upstream),
        internal_api=internal_api,
        internal_port=settings.internal_port,
        route_reloader=routes,
        upstream=parts.upstream,
        open_streams=open_streams,
        caller_directory=parts.directory,
        rate_windows=parts.rate_windows,
        quota_counter=parts.quota_counter,
        report_draining=parts.readiness.start_draining,
    )


def stack_middlewares(inner: ASGIApp, *middlewares: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """Wrap the app in these middlewares; the first one is the outermost."""
    app = inner
    for middleware in reversed(middlewares):
        app = middleware(app)
    return app


def _create_internal_api(
    settings: GatewaySettings, routes: RouteReloader, builtin_issuer: BuiltInIssuer | None
) -> FastAPI:
    """Return the chassis's app for the gateway's own API: users, grants, sessions."""
    issuer_dependencies = None
    holder_issuer = None
    if builtin_issuer is not None:
        issuer_dependencies = IssuerDependencies(
            issuer=builtin_issuer,
            assertion_audiences=_assertion_audiences(settings, builtin_issuer),
            password_hasher=Passwords(),
            relying_party=RelyingParty(builtin_issuer.name),
        )
        holder_issuer = issuers.build_holder_issuer(settings, builtin_issuer)
    ports: dict[str, object] = {
        "own": issuer_dependencies,
        "holders": holder_issuer,
        "find_routes": routes.match,
    }
    definition = service.Service(
        name="gateway",
        settings=settings,
        transaction=Transaction,
        routers=ROUTERS,
        migrations=MIGRATIONS,
        ports=ports,
    )
    return factory.create_app(definition, lifetime=GatewayRuntime)


def _middlewares(parts: _Parts) -> list[Callable[[ASGIApp], ASGIApp]]:
    """Return all middlewares, the outermost first."""
    return [*_edge(parts), *_access(parts), *_forwarding(parts)]


def _edge(parts: _Parts) -> list[Callable[[ASGIApp], ASGIApp]]:
    """Return the middlewares that every request passes until its route is known."""
    settings = parts.settings
    group_by_name = {name: group for group in Group for name in settings.hosts_for(group)}
    return [
        partial(Languages, media_types={PROBLEM}),
        partial(
            host_groups.HostGroups,
            names=group_by_name,
            ports=settings.ports,
            proxies=settings.trusted_proxies,
            scheme="https" if settings.environment == "production" else "http",
        ),
        tracing.RequestIds,
        access_log.AccessLog,
        partial(security_headers.SecurityHeaders, https=settings.environment == "production"),
        response_headers.ResponseHeaders,
        partial(cors.Cors, origins=settings.cors_origins),
        problem_responses.ProblemResponses,
        partial(
            builtin_endpoints.BuiltInEndpoints,
            documents=Documents(
                parts.routes, partial(_fetch_document, parts.upstream), time.monotonic
            ),
            origins={group: settings.origins_for(group)[0] for group in Group},
            jwks=_collect_jwks(settings, parts.builtin_issuer),
            discovery=_describe_issuer(settings, parts.builtin_issuer),
            is_ready=parts.readiness,
            has_try_it=settings.environment == "development",
        ),
        neutral_responses.NeutralResponses,
        partial(routing.Routing, routes=parts.routes),
        body_limit.BodyLimit,
    ]


def _access(parts: _Parts) -> list[Callable[[ASGIApp], ASGIApp]]:
    """Return the middlewares that identify the caller and decide whether they may."""
    directory = parts.directory
    trusted = issuers.build_trusted_issuers(
        parts.settings, parts.builtin_issuer, directory.resolve_identity
    )
    verifier = TokenVerifier(trusted, directory.revocation_cache, time.time)
    return [
        partial(authentication.Authentication, token_verifier=verifier),
        authorisation.Authorisation,
        partial(rate_limit.RateLimit, windows=parts.rate_windows, clock=time.time),
        partial(daily_quota.DailyQuota, counter=parts.quota_counter),
        partial(audited_reads.AuditedReads, record=directory.record_audited_read),
    ]


def _forwarding(parts: _Parts) -> list[Callable[[ASGIApp], ASGIApp]]:
    """Return the limits towards the services, the retries and the internal tokens."""
    signing_key = parts.settings.signing_key.get_secret_value()
    return [
        partial(concurrency_limit.ConcurrencyLimit, routes=parts.routes),
        timeouts.Timeouts,
        retries.Retries,
        partial(
            circuit_breaker.CircuitBreakers,
            services=parts.settings.service_urls,
            clock=time.monotonic,
        ),
        partial(
            internal_tokens.InternalTokens,
            signer=InternalTokenSigner("gateway", signing_key),
            role_permissions=parts.role_permissions,
            clock=time.monotonic,
        ),
    ]


def _collect_jwks(
    settings: GatewaySettings, builtin_issuer: BuiltInIssuer | None
) -> list[dict[str, Any]]:
    """Return the public keys of our own issuers, as they are published."""
    jwks: list[dict[str, Any]] = []
    development_key = issuers.load_development_key(settings)
    if development_key is not None:
        jwks.append(public_jwk(development_key))
    if builtin_issuer is not None:
        jwks += builtin_issuer.jwks
    return jwks


def _describe_issuer(
    settings: GatewaySettings, builtin_issuer: BuiltInIssuer | None
) -> dict[Group, dict[str, Any]]:
    """Return the discovery document of each group that has the token endpoint."""
    if builtin_issuer is None:
        return {}
    origins = {
        Group.STAFF: builtin_issuer.name,
        Group.PARTNER: settings.origins_for(Group.PARTNER)[0],
    }
    return {group: builtin_issuer.discovery_document(origin) for group, origin in origins.items()}


def _assertion_audiences(settings: GatewaySettings, issuer: BuiltInIssuer) -> frozenset[str]:
    """Return the names that a client may give the token endpoint: issuers and addresses."""
    origins = {
        issuer.name,
        *settings.origins_for(Group.STAFF),
        *settings.origins_for(Group.PARTNER),
    }
    return frozenset(origins | {origin + TOKEN_PATH for origin in origins})


async def _fetch_document(upstream: UpstreamClient, service_name: str) -> Mapping[str, Any]:
    """Return a service's own OpenAPI document. Raises UpstreamUnavailable."""
    _, document = await upstream.get_json(service_name, "/openapi.json", DOCUMENT_TIMEOUT_SECONDS)
    return document


def _describe_routes(routes: RouteReloader) -> dict[str, Any]:
    """Return the state of the route table for /statusz."""
    return {
        "routes": {
            "generation": routes.generation,
            "count": len(routes.table.routes),
            "problems": list(routes.problems),
        }
    }
