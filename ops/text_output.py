"""Sentences for people, wrapped at the width of their terminal.

Standard library only, as the launcher needs. Not here: tables and colours (rich), and documents for
programs (json_output).
"""

import shutil
import sys
import textwrap
from typing import TextIO


def print_text(text: str) -> None:
    """Print sentences on stdout."""
    sys.stdout.write(f"{fit(text, sys.stdout)}\n")


def print_error(text: str) -> None:
    """Print sentences on stderr."""
    sys.stderr.write(f"{fit(text, sys.stderr)}\n")


def fit(text: str, stream: TextIO) -> str:
    """Return the text wrapped between words at the terminal's width, unchanged for a file.

    A word that is longer than a line (a path, an id) is not broken, so that it can be copied.
    """
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_wrap(line, width) for line in text.splitlines())


def _wrap(line: str, width: int) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
