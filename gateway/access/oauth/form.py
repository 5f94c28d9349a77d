"""The form of the token endpoint: how it is read, and its description. Not here: its routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from gateway.access.clients.assertions import ASSERTION_TYPE
from gateway.access.oauth.errors import OAuthError
from gateway.texts import TEXTS

CONTENT_TYPE = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 20


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the form of the request. Raises OAuthError if it is no form or repeats a name."""
    media_type = request.headers.get("content-type", CONTENT_TYPE).partition(";")[0].strip()
    if media_type.lower() != CONTENT_TYPE:
        raise OAuthError(
            "invalid_request",
            TEXTS["oauth.content_type"].format(wanted=CONTENT_TYPE),
        )
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError:
        raise OAuthError("invalid_request", TEXTS["oauth.body_unreadable"]) from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise OAuthError("invalid_request", TEXTS["oauth.parameter_twice"])
    return form


def require_field(form: Mapping[str, str], name: str) -> str:
    """Return a value of the form. Raises OAuthError if it is missing or empty."""
    if not form.get(name):
        raise OAuthError("invalid_request", TEXTS["oauth.field_missing"].format(name=name))
    return form[name]


class TokenBody(BaseModel):
    """The tokens. Only people have a refresh token."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
                "token_type": "Bearer",
                "expires_in": 300,
            }
        }
    )

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a type, no secret
    expires_in: int = Field(description="detik / seconds")
    refresh_token: str | None = None


class OAuthErrorBody(BaseModel):
    """An error of RFC 6749, section 5.2."""

    error: str = Field(examples=["invalid_client"])
    error_description: str


_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": OAuthErrorBody, "description": "RFC 6749, 5.2"},
    401: {"model": OAuthErrorBody, "description": "invalid_client (RFC 6749, 5.2)"},
}
TOKEN_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"model": TokenBody}} | _ERRORS
REVOCATION_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Tidak berlaku lagi / no longer valid"}
} | _ERRORS


def _describe_form(properties: dict[str, Any], required: list[str], **examples: Any) -> Any:
    """Return the OpenAPI members of a route that reads a form."""
    schema = {"type": "object", "properties": properties, "required": required}
    content = {
        "schema": schema,
        "examples": {
            name: {"summary": name.replace("_", " "), "value": value}
            for name, value in examples.items()
        },
    }
    return {"requestBody": {"required": True, "content": {CONTENT_TYPE: content}}}


_TEXT = {"type": "string"}
_GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
_CLIENT_PROPERTIES = {
    "client_id": _TEXT | {"description": "atau HTTP Basic / or HTTP Basic"},
    "client_secret": _TEXT | {"description": "atau HTTP Basic / or HTTP Basic"},
    "client_assertion": _TEXT | {"description": "JWT (RFC 7523)"},
    "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
}
TOKEN_FORM: dict[str, Any] = _describe_form(
    {
        "grant_type": {"type": "string", "enum": list(_GRANT_TYPES)},
        "code": _TEXT,
        "code_verifier": _TEXT | {"description": "PKCE (RFC 7636)"},
        "refresh_token": _TEXT,
        **_CLIENT_PROPERTIES,
    },
    ["grant_type"],
    client_credentials={
        "grant_type": "client_credentials",
        "client_id": "dinas-satu",
        "client_secret": "rahasia-dari-administrator",
    },
    client_credentials_by_http_basic={"grant_type": "client_credentials"},
    private_key_jwt={
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": "eyJhbGciOiJFZERTQSJ9.e30.c2ln",
    },
    refresh_token={"grant_type": "refresh_token", "refresh_token": "0198c0de.5f2a"},
    authorization_code={
        "grant_type": "authorization_code",
        "code": "0198c0de.9b1c",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    },
)
REVOCATION_FORM: dict[str, Any] = _describe_form(
    {"token": _TEXT, "token_type_hint": _TEXT},
    ["token"],
    refresh_token={"token": "0198c0de.5f2a"},
)
