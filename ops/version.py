"""The version of this installation, as pyproject.toml has it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read_version() -> str:
    """Return the version of this installation."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])
