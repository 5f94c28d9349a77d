"""The errors of the token endpoint (RFC 6749, section 5.2). Not here: its routes (api)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.responses import JSONResponse, Response

from chassis.texts import Text
from gateway.access.clients.rules import ClientRefused
from gateway.access.sessions.rules import RefreshRefused
from gateway.access.sign_ins.rules import CodeRefused
from gateway.texts import TEXTS

NO_STORE = {"cache-control": "no-store"}
# RFC 6749, 5.2: a client that used the header `authorization` is asked for it again.
BASIC_CHALLENGE = {"www-authenticate": 'Basic realm="oauth", charset="UTF-8"'}


class OAuthError(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: Text, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def with_oauth_errors(
    route: Callable[..., Awaitable[Response]],
) -> Callable[..., Awaitable[Response]]:
    """Wrap a route so that its errors have the form of RFC 6749, section 5.2."""

    @wraps(route)
    async def answer(*args: Any, **kwargs: Any) -> Response:
        try:
            return await route(*args, **kwargs)
        except OAuthError as error:
            return _error_response(error)
        except (CodeRefused, RefreshRefused):
            return _error_response(OAuthError("invalid_grant", TEXTS["oauth.grant_invalid"]))
        except ClientRefused:
            return _error_response(OAuthError("invalid_client", TEXTS["oauth.client_invalid"], 401))

    return answer


def _error_response(error: OAuthError) -> JSONResponse:
    challenge = BASIC_CHALLENGE if error.status == 401 else {}  # noqa: PLR2004 - RFC 6749, 5.2
    return JSONResponse(
        {"error": error.error, "error_description": error.description.localised},
        error.status,
        NO_STORE | challenge,
    )
