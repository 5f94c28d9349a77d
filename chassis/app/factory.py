"""Makes the ASGI app of a service from its definition.

Not here: its workers (lifespan) and its routes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from chassis.app import probes
from chassis.app.lifespan import ServiceRuntime
from chassis.app.middleware import InternalAuthMiddleware, RequestContextMiddleware
from chassis.app.service import Service
from chassis.errors import DomainError
from chassis.http.dependencies import refuse_repeated_members, require_permission
from chassis.http.internal_tokens import InternalTokenVerifier
from chassis.http.languages import Languages
from chassis.http.problems import (
    on_conflict,
    on_database_error,
    on_domain_error,
    on_http_error,
    on_invalid_request,
    on_refused_value,
    on_too_large,
)
from chassis.persistence import mongo


def create_app(
    service: Service[Any], *, lifetime: Callable[[Service[Any]], ServiceRuntime] = ServiceRuntime
) -> FastAPI:
    """Return the ASGI app of a service; its lifespan runs relay, consumer and jobs."""
    life = lifetime(service)
    app = FastAPI(
        title=service.title or f"Bina {service.name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=life.lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.life = life
    app.state.engine = life.engine
    app.state.service = service
    app.state.stopping = life.stopping
    app.state.verifier = InternalTokenVerifier(service.name, service.settings.trusted_keys)
    for name, port in service.ports.items():
        setattr(app.state, name, port)
    for router in service.routers:
        app.include_router(
            router, dependencies=[Depends(require_permission), Depends(refuse_repeated_members)]
        )
    app.include_router(probes.router)
    _add_error_handlers(app)
    app.add_middleware(cast("Any", InternalAuthMiddleware), verifier=app.state.verifier, life=life)
    app.add_middleware(cast("Any", RequestContextMiddleware))
    app.add_middleware(cast("Any", Languages))
    return app


def _add_error_handlers(app: FastAPI) -> None:
    handlers: dict[type[Exception], Any] = {
        DomainError: on_domain_error,
        RequestValidationError: on_invalid_request,
        HTTPException: on_http_error,
        mongo.MongoError: on_database_error,
        mongo.TransactionConflict: on_conflict,
        mongo.TransactionTooLarge: on_too_large,
        mongo.ValueRefused: on_refused_value,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
