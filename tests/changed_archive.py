"""ZIP archives with one changed file. Not here: what an archive holds."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO


def copy_changed(
    file: Path, to: Path | IO[bytes], name: str, change: Callable[[list[str]], list[str]]
) -> None:
    """Write a copy of the archive in which `change` has changed the lines of the file `name`."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(to, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == name:
                content = "".join(change(content.decode().splitlines(keepends=True))).encode()
            new.writestr(member, content)
