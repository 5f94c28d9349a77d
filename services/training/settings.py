"""Settings and texts of training. Not here: settings of every service (chassis.settings)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from chassis.settings import HexKey, HexKeys, Settings
from chassis.texts import load_texts

TEXTS = load_texts(Path(__file__).with_name("texts.toml"))


class TrainingSettings(Settings, prefix="TRAINING_"):
    """Keys of identities, the mapping file, the daily limit of names and the virus scanner.

    `master_key` wraps the data keys of identities and of uploaded files; `lookup_key` makes the
    lookup values of NIKs. The former keys, one a line, still read until a job has renewed what
    needs them. `clamd` is the `host:port` of the scanner of uploaded files; it is off while this is
    empty.
    """

    master_key: HexKey
    former_master_key: HexKeys = SecretStr("")
    lookup_key: HexKey
    former_lookup_key: HexKeys = SecretStr("")
    mappings: Path = Path(__file__).parent / "mappings" / "mappings.toml"
    names_per_day: Annotated[int, Field(ge=1)] = 2_000
    clamd: Annotated[str, Field(pattern=r"^([^\s:]+:[0-9]{1,5})?$")] = ""
