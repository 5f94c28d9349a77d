"""What training is told: keys for identities, and how many names it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import Settings

KEY_BYTES = 32


def _validate_key(secret: SecretStr) -> SecretStr:
    try:
        right = len(bytes.fromhex(secret.get_secret_value())) == KEY_BYTES
    except ValueError:
        right = False
    if not right:
        raise ValueError("32 bytes as hexadecimal digits are needed")
    return secret


HexKey = Annotated[SecretStr, AfterValidator(_validate_key)]


class TrainingSettings(Settings, prefix="TRAINING_"):
    """`master_key` wraps the data keys of identities, `lookup_key` makes the lookup values of NIKs; the former ones are still accepted while keys are changed."""

    master_key: HexKey
    former_master_key: HexKey | None = None
    lookup_key: HexKey
    former_lookup_key: HexKey | None = None
    mappings: Path = Path(__file__).parent / "snapshots" / "mappings.toml"
    names_per_day: Annotated[int, Field(ge=1)] = 2_000
