"""How a client proves itself at the token endpoint: HTTP Basic, the form, or an assertion.

Sources: RFC 6749, section 2.3.1, and RFC 7523. Not here: secrets and keys (clients).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from urllib.parse import unquote_plus

from chassis.errors import Duplicate
from chassis.ids import utc_now
from gateway.access.clients import assertions
from gateway.access.clients import usecases as clients
from gateway.access.clients.rules import Client, ClientRefused, has_secret
from gateway.access.hashing import hash_token
from gateway.access.issuer_dependencies import IssuerDependencies, NonRepeatableRun
from gateway.access.oauth.errors import OAuthError
from gateway.access.oauth.form import require_field
from gateway.texts import TEXTS


async def authenticate_client(
    form: Mapping[str, str], basic: str, deps: IssuerDependencies, run: NonRepeatableRun
) -> Client:
    """Return the client that exactly one way of proof authenticates.

    `basic` is the header of HTTP Basic, or "". Raises ClientRefused, OAuthError.
    """
    ways = [bool(basic), "client_secret" in form, "client_assertion" in form]
    if sum(ways) > 1:
        raise OAuthError("invalid_request", TEXTS["oauth.one_proof"])
    if "client_assertion" in form:
        return await _authenticate_by_assertion(form, deps, run)
    if basic:
        client_id, secret = _read_basic(basic)
        if form.get("client_id", client_id) != client_id:
            raise ClientRefused
    else:
        client_id = require_field(form, "client_id")
        secret = require_field(form, "client_secret")
    client = await run(partial(clients.get_active_client, client_id))
    if not has_secret(client, hash_token(secret)):
        raise ClientRefused
    return client


async def _authenticate_by_assertion(
    form: Mapping[str, str], deps: IssuerDependencies, run: NonRepeatableRun
) -> Client:
    if form.get("client_assertion_type") != assertions.ASSERTION_TYPE:
        raise OAuthError("invalid_request", TEXTS["oauth.assertion_type_unknown"])
    assertion = form["client_assertion"]
    claimed = assertions.read_claimed_client(assertion)
    if form.get("client_id", claimed) != claimed:
        raise ClientRefused
    client = await run(partial(clients.get_active_client, claimed))
    now = utc_now().timestamp()
    use = assertions.verify_assertion(client, assertion, deps.assertion_audiences, now)
    try:
        await run(partial(clients.use_assertion, use))
    except Duplicate:
        # Another request used the same assertion at the same time.
        raise ClientRefused from None
    return client


def _read_basic(header: str) -> tuple[str, str]:
    """Return id and secret, which are form-encoded within. Raises ClientRefused."""
    try:
        decoded = base64.b64decode(header.partition(" ")[2].strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ClientRefused from None
    client_id, colon, secret = decoded.partition(":")
    if not colon:
        raise ClientRefused
    return unquote_plus(client_id), unquote_plus(secret)
