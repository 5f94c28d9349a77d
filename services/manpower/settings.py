"""What manpower is told at its start."""

from __future__ import annotations

from pydantic import SecretStr, field_validator

from chassis.settings import Settings


class ManpowerSettings(Settings, prefix="MANPOWER_"):
    """MANPOWER_TRAINING_URL (for the identity query), MANPOWER_GATEWAY_URL (the gateway's internal side, which holds grants) and MANPOWER_CURSOR_KEY.

    The key signs feed cursors: 32 bytes as hex.
    """

    training_url: str
    gateway_url: str
    cursor_key: SecretStr

    @field_validator("cursor_key")
    @classmethod
    def _require_key_length(cls, key: SecretStr) -> SecretStr:
        try:
            long_enough = len(bytes.fromhex(key.get_secret_value())) == 32  # noqa: PLR2004 - bytes of an HMAC-SHA-256 key
        except ValueError:
            long_enough = False
        if not long_enough:
            raise ValueError("32 bytes as hexadecimal text are needed")
        return key
