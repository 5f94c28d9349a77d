"""What certification is told at start."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from chassis.settings import Settings


class CertificationSettings(Settings, prefix="CERTIFICATION_"):
    """Keys, the clock of the status lists, and where names are asked for."""

    name_key: SecretStr = Field(
        description="32 bytes as hex text: seals names, signed credentials and the secret keys of lists"
    )
    keys_dir: Path = Field(
        description="the directory of the issuers' private keys; keep it apart from every backup of the database"
    )
    training_url: str = Field(description="where training answers internal queries")
    tick_seconds: int = Field(
        300, ge=1, le=3_600, description="status lists are published on this tick, changed or not"
    )

    @field_validator("name_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        if len(bytes.fromhex(key.get_secret_value())) != 32:  # noqa: PLR2004 - AES-256
            message = "32 bytes as hex text are needed"
            raise ValueError(message)
        return key

    @property
    def tick(self) -> timedelta:
        """How often lists are published."""
        return timedelta(seconds=self.tick_seconds)
