"""Settings of manpower, and its texts. Not here: settings that all services share (chassis)."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr, field_validator

from chassis.settings import Settings
from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).with_name("texts.toml"))

CURSOR_KEY_BYTES = 32


class ManpowerSettings(Settings, prefix="MANPOWER_"):
    """Settings from the environment, with the prefix `MANPOWER_`.

    `training_url` is for the identity query, `gateway_url` for grants (the gateway's internal
    port). `cursor_key` signs feed cursors with HMAC-SHA-256: 32 bytes as hexadecimal text.
    """

    training_url: str
    gateway_url: str
    cursor_key: SecretStr

    @field_validator("cursor_key")
    @classmethod
    def _require_key_length(cls, key: SecretStr) -> SecretStr:
        try:
            key_bytes = bytes.fromhex(key.get_secret_value())
        except ValueError:
            key_bytes = b""
        if len(key_bytes) != CURSOR_KEY_BYTES:
            raise ValueError(f"needs {CURSOR_KEY_BYTES} bytes as hexadecimal text")
        return key
