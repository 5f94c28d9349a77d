"""Files that hold secrets or that others read while we write: writing them, and reading those that a variable names. Not here: what stands in them."""

import os
from pathlib import Path

from ops.errors import OperatorError

UNFINISHED_RESTORE = "restoring"  # a file that stands in the home while its databases are neither the old nor the restored ones


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as out:
        out.write(text)
    draft.rename(path)


def file_from_variable(variable: str) -> Path | None:
    """The file that a variable names, as seen from where the command was called. OperatorError when it is not there."""
    if not (text := os.environ.get(variable)):
        return None
    path = Path(os.environ.get("BINA_FROM", ".")) / text
    if not path.is_file():
        raise OperatorError(
            f"{variable}: berkas {path} tidak ada.", f"{variable}: there is no file {path}."
        )
    return path


def text_from_variable(variable: str) -> str:
    """What stands in the file that a variable names, empty when it names none. OperatorError when it cannot be read."""
    path = file_from_variable(variable)
    try:
        return path.read_text().strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"{variable}: berkas {path} tidak dapat dibaca.",
            f"{variable}: the file {path} cannot be read.",
        ) from error
