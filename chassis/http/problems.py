"""Problem responses (RFC 9457) for domain errors, invalid requests and an unreachable database. Not here: the errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from chassis import telemetry, texts
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

log = telemetry.log(__name__)


def _request_id(request: Request) -> str:
    return getattr(request.state, "request_id", "")


def problem_response(request: Request, error: DomainError) -> JSONResponse:
    """Return the problem body of an error, with Retry-After where it has one."""
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, Busy) else {}
    return JSONResponse(
        problem(error, _request_id(request)), error.status, headers, media_type=PROBLEM
    )


async def on_domain_error(request: Request, error: DomainError) -> Response:
    """Answer a domain error."""
    return problem_response(request, error)


class BodyInvalid(Refused):
    """Fields that do not fit; each is named under `errors`."""

    title = "Isian tidak sesuai"


_WORDS: dict[str, str] = {
    code: words for words, codes in texts.read("fields").items() for code in codes
}


def _field_problem(problem: Mapping[str, Any]) -> dict[str, str]:
    place = ".".join(
        str(part) for part in problem["loc"] if part not in {"body", "query", "path", "header"}
    )
    return {
        "field": place,
        "message": _WORDS.get(problem["type"], "tidak sesuai"),
        "code": problem["type"],
    }


async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Answer a request whose body or parameters do not fit; every field is named."""
    listed = [_field_problem(problem) for problem in error.errors()]
    if any(one["code"] == "json_invalid" for one in listed):
        return problem_response(request, Malformed("Isi permintaan bukan JSON yang benar"))
    first = listed[0]
    return problem_response(
        request,
        BodyInvalid(
            f"{first['field']} {first['message']}".strip(),
            field=first["field"] or None,
            errors=listed,
        ),
    )


async def on_http_error(request: Request, error: HTTPException) -> Response:
    """Answer what the framework refused: an unknown path, a wrong method."""
    for kind in (NotFound, Unauthenticated, Forbidden, TooLarge):
        if kind.status == error.status_code:
            return problem_response(request, kind())
    told = {
        "type": "about:blank",
        "title": DomainError.title,
        "status": error.status_code,
        "code": f"http_{error.status_code}",
        "request_id": _request_id(request),
    }
    return JSONResponse(told, error.status_code, error.headers, media_type=PROBLEM)


async def on_database_error(request: Request, error: mongo.MongoError) -> Response:
    """Answer 503 while MongoDB cannot be reached."""
    log.warning("database_error", error=type(error).__name__)
    return problem_response(request, Busy())
