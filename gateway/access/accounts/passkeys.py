"""Registration and authentication by a passkey or security key (WebAuthn level 2).

Not here: when they take place (usecases, sign_ins).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import PublicKeyCredentialDescriptor

from chassis.errors import Refused
from gateway.access.accounts.rules import Passkey, SignInRefused
from gateway.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

Options = dict[str, Any]
_INVALID_RESPONSE = (WebAuthnException, ValueError, KeyError, TypeError)


class PasskeyRefused(Refused):
    """The browser's response does not match the registration options."""

    title = TEXTS["errors.passkey_refused"]
    field = "credential"


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The WebAuthn relying party: the origin of the issuer, e.g. https://staff.example."""

    origin: str

    @property
    def id(self) -> str:
        """The relying party's id, its host name."""
        return urlsplit(self.origin).hostname or ""

    def registration_options(
        self, user_id: str, login: str, challenge: str, registered: Sequence[Passkey]
    ) -> Options:
        """Return the options with which a browser creates a passkey."""
        made = generate_registration_options(
            rp_id=self.id,
            rp_name="Bina",
            user_id=user_id.encode(),
            user_name=login,
            challenge=base64url_to_bytes(challenge),
            exclude_credentials=_build_descriptors(registered),
        )
        return json.loads(options_to_json(made))

    def verify_registration(
        self, credential: Options, challenge: str, label: str, now: datetime
    ) -> Passkey:
        """Return the passkey that the browser created. Raises PasskeyRefused."""
        try:
            found = verify_registration_response(
                credential=credential,
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=self.id,
                expected_origin=self.origin,
            )
        except _INVALID_RESPONSE:
            raise PasskeyRefused from None
        return Passkey(
            id=bytes_to_base64url(found.credential_id),
            public_key=bytes_to_base64url(found.credential_public_key),
            sign_count=found.sign_count,
            label=label,
            added_at=now,
        )

    def authentication_options(self, challenge: str, registered: Sequence[Passkey]) -> Options:
        """Return the options with which a browser proves a passkey."""
        asked = generate_authentication_options(
            rp_id=self.id,
            challenge=base64url_to_bytes(challenge),
            allow_credentials=_build_descriptors(registered),
        )
        return json.loads(options_to_json(asked))

    def verify_authentication(
        self, passkey: Passkey, credential: Options, challenge: str
    ) -> Passkey:
        """Return the passkey with its new signature counter.

        Raises SignInRefused if the signature is invalid or the counter did not increase.
        """
        try:
            found = verify_authentication_response(
                credential=credential,
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=base64url_to_bytes(passkey.public_key),
                credential_current_sign_count=passkey.sign_count,
            )
        except _INVALID_RESPONSE:
            raise SignInRefused from None
        return replace(passkey, sign_count=found.new_sign_count)


def _build_descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.id)) for passkey in passkeys
    ]
