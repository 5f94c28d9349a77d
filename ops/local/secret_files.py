"""Files of secrets: atomic writes with private permissions, and files named by variables.

Not here: their content.
"""

import os
from pathlib import Path

from ops.errors import OperatorError

# Exists in the state directory from the start of a restore until it is complete.
UNFINISHED_RESTORE = "restoring"


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as out:
        out.write(text)
    draft.rename(path)


def file_from_variable(variable: str) -> Path | None:
    """Return the file that a variable names, relative to the caller's directory.

    Raises OperatorError when it does not exist.
    """
    name = os.environ.get(variable)
    if not name:
        return None
    path = Path(os.environ.get("BINA_FROM", ".")) / name
    if not path.is_file():
        raise OperatorError(
            f"{variable}: berkas {path} tidak ada.", f"{variable}: there is no file {path}."
        )
    return path


def text_from_variable(variable: str) -> str:
    """Return the content of the file that a variable names; empty when it names none.

    Raises OperatorError when the file cannot be read.
    """
    path = file_from_variable(variable)
    try:
        return path.read_text().strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"{variable}: berkas {path} tidak dapat dibaca.",
            f"{variable}: the file {path} cannot be read.",
        ) from error
