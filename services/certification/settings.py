"""Settings and texts of certification.

Not here: settings of every service (chassis.settings).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr

from chassis.settings import HexKey, HexKeys, Settings
from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).with_name("texts.toml"))


class CertificationSettings(Settings, prefix="CERTIFICATION_"):
    """Keys, the tick of the status lists, and the address of training."""

    name_key: HexKey = Field(
        description="32 bytes as hex text: encrypts names, signed credentials and keys of lists"
    )
    former_name_key: HexKeys = Field(
        SecretStr(""),
        description="former keys, one a line: they still read until a job has renewed what needs "
        "them",
    )
    keys_dir: Path = Field(
        description="the directory of the issuers' private keys; keep it apart from every backup "
        "of the database"
    )
    training_url: str = Field(description="where training answers internal queries")
    tick_seconds: int = Field(
        300, ge=1, le=3_600, description="status lists are published on this tick, changed or not"
    )

    @property
    def tick(self) -> timedelta:
        """The time between two publications of the status lists."""
        return timedelta(seconds=self.tick_seconds)
