"""The token and revocation endpoints of the built-in issuer (RFC 6749, 7009, 7523, 7636).

Errors have the form of these standards. Not here: the sign-in before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, Response

from chassis.ids import new_id, utc_now
from gateway.access.builtin_issuer import ACCESS_TOKEN_SECONDS, BuiltInIssuer
from gateway.access.hashing import hash_token, new_token
from gateway.access.issuer_dependencies import IssuerDeps, NonRepeatableRun
from gateway.access.oauth.client_credentials import authenticate_client
from gateway.access.oauth.errors import NO_STORE, OAuthError, with_oauth_errors
from gateway.access.oauth.form import (
    REVOCATION_FORM,
    REVOCATION_RESPONSES,
    TOKEN_FORM,
    TOKEN_RESPONSES,
    read_form,
    require_field,
)
from gateway.access.revocations import usecases as revocations
from gateway.access.sessions import usecases as sessions
from gateway.access.sessions.rules import RefreshRefused, Session
from gateway.access.sign_ins import usecases as signins
from gateway.texts import TEXTS

router = APIRouter()

# Only the gateway sends this header: HTTP Basic of the client, under another name.
ClientAuthorization = Annotated[str, Header(include_in_schema=False)]


@router.post("/v1/oauth/token", responses=TOKEN_RESPONSES, openapi_extra=TOKEN_FORM)
@with_oauth_errors
async def token(
    request: Request,
    deps: IssuerDeps,
    run: NonRepeatableRun,
    idempotency_key: Annotated[str, Header(max_length=200)] = "",
    client_authorization: ClientAuthorization = "",
) -> Response:
    """Issue tokens for an authorization code, a refresh token, or a client's credentials.

    The body is application/x-www-form-urlencoded. A client may prove itself by HTTP Basic.
    """
    form = await read_form(request)
    grant_type = form.get("grant_type")
    if client_authorization and grant_type != "client_credentials":
        await authenticate_client(form, client_authorization, deps, run)
    match grant_type:
        case "authorization_code":
            return await _exchange_code(form, deps.issuer, run)
        case "refresh_token":
            return await _refresh_tokens(form, deps.issuer, run, idempotency_key)
        case "client_credentials":
            client = await authenticate_client(form, client_authorization, deps, run)
            access = deps.issuer.issue_token(client.user_id, utc_now(), client_id=client.id)
            return _token_response({"access_token": access})
        case None:
            raise OAuthError(
                "invalid_request", TEXTS["oauth.field_missing"].format(name="grant_type")
            )
        case _:
            raise OAuthError("unsupported_grant_type", TEXTS["oauth.grant_type_unknown"])


@router.post("/v1/oauth/revoke", responses=REVOCATION_RESPONSES, openapi_extra=REVOCATION_FORM)
@with_oauth_errors
async def revoke(
    request: Request,
    deps: IssuerDeps,
    run: NonRepeatableRun,
    client_authorization: ClientAuthorization = "",
) -> Response:
    """End the session of this refresh or access token; in force within seconds.

    A system's access token has no session; only that token is revoked. An unknown token is no error
    (RFC 7009, 2.2).
    """
    form = await read_form(request)
    given = require_field(form, "token")
    if client_authorization:
        await authenticate_client(form, client_authorization, deps, run)
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
    sign_in, _, secret = require_field(form, "code").partition(".")
    refresh = new_token()
    session = await run(
        partial(
            signins.redeem,
            sign_in,
            hash_token(secret),
            require_field(form, "code_verifier"),
            new_id(),
            hash_token(refresh),
        )
    )
    return _session_response(session, refresh, issuer)


async def _refresh_tokens(
    form: Mapping[str, str], issuer: BuiltInIssuer, run: NonRepeatableRun, key: str
) -> Response:
    session_id, _, secret = require_field(form, "refresh_token").partition(".")
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


def _token_response(content: dict[str, Any]) -> Response:
    return JSONResponse(
        content | {"token_type": "Bearer", "expires_in": ACCESS_TOKEN_SECONDS}, 200, NO_STORE
    )
