"""Problem responses (RFC 9457) for domain errors, invalid requests and MongoDB's errors.

Not here: the error classes (errors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from chassis import telemetry
from chassis.errors import (
    PROBLEM,
    Busy,
    DomainError,
    Forbidden,
    Malformed,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    problem,
)
from chassis.persistence import mongo
from chassis.texts import TEXTS, Text

log = telemetry.log(__name__)


def _request_id(request: Request) -> str:
    return getattr(request.state, "request_id", "")


def problem_response(request: Request, error: DomainError) -> JSONResponse:
    """Return the problem body of an error, with Retry-After if it has one."""
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Busy) else {}
    return JSONResponse(
        problem(error, _request_id(request)), error.status, headers, media_type=PROBLEM
    )


async def on_domain_error(request: Request, error: DomainError) -> Response:
    """Answer a domain error."""
    return problem_response(request, error)


class BodyInvalid(Refused):
    """Fields of a request are invalid; each is named under `errors`."""

    title = TEXTS["errors.body_invalid"]


class NotJson(DomainError):
    """The body is read as JSON, but its content type is another one, or missing."""

    status = 415
    title = TEXTS["errors.not_json"]
    field = "content-type"


_LOCATIONS = frozenset({"body", "query", "path", "header"})


def field_text(problem: Mapping[str, Any]) -> Text:
    """Return what an officer reads about a field with this error of pydantic.

    A validator of our own may raise a ValueError of a text.
    """
    raised = problem.get("ctx", {}).get("error")
    if isinstance(raised, ValueError) and raised.args and isinstance(raised.args[0], Text):
        return raised.args[0]
    return TEXTS.get(f"fields.{problem['type']}", TEXTS["fields.other"])


def _field_problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    path = [str(name) for name in problem["loc"] if name not in _LOCATIONS]
    code = problem["type"]
    return {"field": ".".join(path), "message": field_text(problem), "code": code}


async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Answer a request with invalid body or parameters; every field is named."""
    if _is_unread_body(request, error):
        return problem_response(request, NotJson())
    problems = [_field_problem(problem) for problem in error.errors()]
    if any(problem["code"] == "json_invalid" for problem in problems):
        return problem_response(request, Malformed(TEXTS["details.json_invalid"]))
    first = problems[0]
    detail = f"{first['field']} {first['message'].localised}".strip()
    invalid = BodyInvalid(detail, field=first["field"] or None, errors=problems)
    return problem_response(request, invalid)


def _is_unread_body(request: Request, error: RequestValidationError) -> bool:
    """Return whether the body was left as bytes, because its content type is not JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    return not is_json and any(
        problem["loc"] == ("body",) and isinstance(problem.get("input"), bytes)
        for problem in error.errors()
    )


async def on_http_error(request: Request, error: HTTPException) -> Response:
    """Answer a refusal of the framework, such as an unknown path or a wrong method."""
    for kind in (NotFound, Unauthenticated, Forbidden, TooLarge):
        if kind.status == error.status_code:
            return problem_response(request, kind())
    body = {
        "type": "about:blank",
        "title": DomainError.title.localised,
        "status": error.status_code,
        "code": f"http_{error.status_code}",
        "request_id": _request_id(request),
    }
    return JSONResponse(body, error.status_code, error.headers, media_type=PROBLEM)


async def on_database_error(request: Request, error: mongo.MongoError) -> Response:
    """Answer 503 while MongoDB is away. Raises any other error again, which is a defect."""
    if not mongo.is_away(error):
        raise error
    log.warning("mongodb_away", error=type(error).__name__)
    return problem_response(request, Busy())


async def on_conflict(request: Request, _error: mongo.TransactionConflict) -> Response:
    """Answer 503 for a write outside a transaction that met another one."""
    return problem_response(request, Busy())


class ValueUnfit(Refused):
    """A value of the request cannot be stored."""

    title = TEXTS["errors.value_unfit"]


async def on_refused_value(request: Request, _error: mongo.ValueRefused) -> Response:
    """Answer 422 for a value that no document can hold."""
    return problem_response(request, ValueUnfit())


async def on_too_large(request: Request, _error: mongo.TransactionTooLarge) -> Response:
    """Answer 413 for a request that would write more than one transaction can."""
    return problem_response(request, TooLarge())
