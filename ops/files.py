"""Writing files that hold secrets or that others read while we write. Not here: what stands in them."""

import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as out:
        out.write(text)
    draft.rename(path)
