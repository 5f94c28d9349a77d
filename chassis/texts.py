"""What people read of the chassis: texts.toml, read once. Not here: titles of errors, which stand on their classes (errors)."""

import tomllib
from pathlib import Path
from typing import Any

_ALL: dict[str, Any] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)


def read(table: str) -> Any:
    """One table of the catalogue."""
    return _ALL[table]
