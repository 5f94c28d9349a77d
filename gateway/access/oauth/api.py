"""The token and revocation endpoints of the built-in issuer (RFC 6749, 7009, 7523, 7636).

Errors have the form of these standards. Not here: the sign-in before them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response

from chassis.errors import Duplicate
from chassis.ids import new_id, utc_now
from gateway.access.builtin_issuer import ACCESS_TOKEN_SECONDS, BuiltInIssuer
from gateway.access.clients import assertions
from gateway.access.clients import usecases as clients
from gateway.access.clients.rules import Client, ClientRefused, has_secret
from gateway.access.hashing import hash_token, new_token
from gateway.access.issuer_dependencies import IssuerDependencies, IssuerDeps, NonRepeatableRun
from gateway.access.revocations import usecases as revocations
from gateway.access.sessions import usecases as sessions
from gateway.access.sessions.rules import RefreshRefused, Session
from gateway.access.sign_ins import usecases as signins
from gateway.access.sign_ins.rules import CodeRefused

router = APIRouter()

MAX_PARAMETERS = 20
NO_STORE = {"cache-control": "no-store"}


class OAuthError(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the form of the request. Raises OAuthError if a parameter is repeated."""
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        raise OAuthError(
            "invalid_request", "isi permintaan tidak dapat dibaca / the body cannot be read"
        ) from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise OAuthError("invalid_request", "parameter ganda / a parameter came twice")
    return found


def with_oauth_errors(
    route: Callable[..., Awaitable[Response]],
) -> Callable[..., Awaitable[Response]]:
    """Wrap a route so that its errors have the form of RFC 6749, section 5.2."""

    @wraps(route)
    async def answer(*args: Any, **kwargs: Any) -> Response:
        try:
            return await route(*args, **kwargs)
        except OAuthError as error:
            return JSONResponse(
                {"error": error.error, "error_description": error.description},
                error.status,
                NO_STORE,
            )
        except (CodeRefused, RefreshRefused):
            return JSONResponse(
                {
                    "error": "invalid_grant",
                    "error_description": (
                        "kode atau token tidak berlaku / the code or token is not valid"
                    ),
                },
                400,
                NO_STORE,
            )
        except (ClientRefused, Duplicate):
            return JSONResponse(
                {
                    "error": "invalid_client",
                    "error_description": "sistem tidak terbukti / the client does not prove itself",
                },
                401,
                NO_STORE,
            )

    return answer


@router.post("/v1/oauth/token")
@with_oauth_errors
async def token(
    request: Request,
    deps: IssuerDeps,
    run: NonRepeatableRun,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    """Issue tokens for an authorization code, a refresh token, or a client's credentials.

    The body is application/x-www-form-urlencoded.
    """
    form = await read_form(request)
    match form.get("grant_type"):
        case "authorization_code":
            return await _exchange_code(form, deps.issuer, run)
        case "refresh_token":
            return await _refresh_tokens(form, deps.issuer, run, idempotency_key)
        case "client_credentials":
            client = await _authenticate_client(form, deps, run)
            access = deps.issuer.issue_token(client.user_id, utc_now(), client_id=client.id)
            return _token_response({"access_token": access})
        case None:
            raise OAuthError("invalid_request", "grant_type wajib diisi / grant_type is missing")
        case _:
            raise OAuthError(
                "unsupported_grant_type", "cara ini tidak tersedia / this grant type is not offered"
            )


@router.post("/v1/oauth/revoke")
@with_oauth_errors
async def revoke(request: Request, deps: IssuerDeps, run: NonRepeatableRun) -> Response:
    """End the session of this refresh or access token; in force within seconds.

    A system's access token has no session; only that token is revoked. An unknown token is no error
    (RFC 7009, 2.2).
    """
    given = (await read_form(request)).get("token", "")
    if not given:
        raise OAuthError("invalid_request", "token wajib diisi / token is missing")
    content = deps.issuer.read_token(given)
    if content is None:
        session_id, _, secret = given.partition(".")
        await run(partial(sessions.end_by_refresh_token, session_id, hash_token(secret)))
    elif "sid" in content:
        await run(partial(sessions.end_by_access_token, str(content["sid"])))
    else:
        await run(partial(revocations.revoke_token, str(content["jti"])))
    return Response(status_code=200, headers=NO_STORE)


async def _exchange_code(
    form: Mapping[str, str], issuer: BuiltInIssuer, run: NonRepeatableRun
) -> Response:
    sign_in, _, secret = _require_field(form, "code").partition(".")
    refresh = new_token()
    session = await run(
        partial(
            signins.redeem,
            sign_in,
            hash_token(secret),
            _require_field(form, "code_verifier"),
            new_id(),
            hash_token(refresh),
        )
    )
    return _session_response(session, refresh, issuer)


async def _refresh_tokens(
    form: Mapping[str, str], issuer: BuiltInIssuer, run: NonRepeatableRun, key: str
) -> Response:
    session_id, _, secret = _require_field(form, "refresh_token").partition(".")
    following = issuer.next_refresh_secret(secret)
    session = await run(
        partial(
            sessions.refresh_session,
            session_id,
            hash_token(secret),
            hash_token(following),
            hash_token(key) if key else "",
        )
    )
    return _session_response(session, following, issuer)


def _session_response(session: Session, refresh: str, issuer: BuiltInIssuer) -> Response:
    if session.ended_at is not None:
        raise RefreshRefused
    access = issuer.issue_token(
        session.user_id,
        utc_now(),
        sid=session.id,
        auth_time=int(session.started_at.timestamp()),
        amr=list(session.amr),
    )
    return _token_response({"access_token": access, "refresh_token": f"{session.id}.{refresh}"})


async def _authenticate_client(
    form: Mapping[str, str], deps: IssuerDependencies, run: NonRepeatableRun
) -> Client:
    """Return the client that the form authenticates.

    The form has a `client_secret` or a `client_assertion` (RFC 7523). Raises ClientRefused.
    """
    assertion = form.get("client_assertion")
    if assertion is not None:
        if (
            form.get("client_assertion_type") != assertions.ASSERTION_TYPE
            or "client_secret" in form
        ):
            raise OAuthError("invalid_request", "satu cara pembuktian saja / one way of proof only")
        claimed = assertions.read_claimed_client(assertion)
        if form.get("client_id", claimed) != claimed:
            raise ClientRefused
        client = await run(partial(clients.get_active_client, claimed))
        audiences = {deps.issuer.name, deps.issuer.discovery_document()["token_endpoint"]}
        now = utc_now().timestamp()
        assertion_id = assertions.verify_assertion(client, assertion, audiences, now)
        await run(partial(clients.use_assertion, assertion_id))
        return client
    client = await run(partial(clients.get_active_client, _require_field(form, "client_id")))
    if not has_secret(client, hash_token(_require_field(form, "client_secret"))):
        raise ClientRefused
    return client


def _token_response(content: dict[str, Any]) -> Response:
    return JSONResponse(
        content | {"token_type": "Bearer", "expires_in": ACCESS_TOKEN_SECONDS}, 200, NO_STORE
    )


def _require_field(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise OAuthError("invalid_request", f"{name} wajib diisi / {name} is missing")
    return form[name]
