"""Settings and texts of training. Not here: settings of every service (chassis.settings)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import Settings
from chassis.texts import load_texts

KEY_BYTES = 32
TEXTS = load_texts(Path(__file__).with_name("texts.toml"))


def _validate_key(secret: SecretStr) -> SecretStr:
    try:
        key = bytes.fromhex(secret.get_secret_value())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("32 bytes as hexadecimal digits are needed")
    return secret


HexKey = Annotated[SecretStr, AfterValidator(_validate_key)]


class TrainingSettings(Settings, prefix="TRAINING_"):
    """Keys of identities, the mapping file, the daily limit of names and the virus scanner.

    `master_key` wraps the data keys of identities and of uploaded files; `lookup_key` makes the
    lookup values of NIKs. The former keys are still accepted while keys are changed. `clamd` is the
    `host:port` of the scanner of uploaded files; it is off while this is empty.
    """

    master_key: HexKey
    former_master_key: HexKey | None = None
    lookup_key: HexKey
    former_lookup_key: HexKey | None = None
    mappings: Path = Path(__file__).parent / "mappings" / "mappings.toml"
    names_per_day: Annotated[int, Field(ge=1)] = 2_000
    clamd: Annotated[str, Field(pattern=r"^([^\s:]+:[0-9]{1,5})?$")] = ""
