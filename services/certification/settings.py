"""The settings of certification, read from the environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from chassis.settings import Settings

NAME_KEY_BYTES = 32


class CertificationSettings(Settings, prefix="CERTIFICATION_"):
    """Keys, the tick of the status lists, and the address of training."""

    name_key: SecretStr = Field(
        description="32 bytes as hex text: encrypts names, signed credentials and keys of lists"
    )
    keys_dir: Path = Field(
        description="the directory of the issuers' private keys; keep it apart from every backup "
        "of the database"
    )
    training_url: str = Field(description="where training answers internal queries")
    tick_seconds: int = Field(
        300, ge=1, le=3_600, description="status lists are published on this tick, changed or not"
    )

    @field_validator("name_key")
    @classmethod
    def _check_key(cls, key: SecretStr) -> SecretStr:
        if len(bytes.fromhex(key.get_secret_value())) != NAME_KEY_BYTES:
            message = "32 bytes as hex text are needed"
            raise ValueError(message)
        return key

    @property
    def tick(self) -> timedelta:
        """The time between two publications of the status lists."""
        return timedelta(seconds=self.tick_seconds)
