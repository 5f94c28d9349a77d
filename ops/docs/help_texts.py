"""The help of every command as text, which the launcher prints before anything is installed.

Not here: the sentences, which lie with the commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ops.local.state_dir import ROOT

FILES = {"id": ROOT / "ops" / "help" / "id.txt", "en": ROOT / "ops" / "help" / "en.txt"}
# The launcher reads the text after such a line up to the next one.
_HEADING = "=== "
# The language is chosen when the commands are imported, so each language has its own process.
_PROGRAM = """
import json
from ops import cli
from ops.command_help import walk_helps
print(json.dumps(dict(walk_helps(cli.app))))
"""


def read_helps(language: str, columns: int = 80) -> dict[str, str]:
    """Return the help of every command in a language, by the words of the command."""
    printed = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=ROOT,
        env=os.environ | {"BINA_LANG": language, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(printed)


def render() -> dict[Path, str]:
    """Return the expected text of each help file."""
    return {path: _render(read_helps(language)) for language, path in FILES.items()}


def _render(helps: dict[str, str]) -> str:
    sections = [f"{_HEADING}{words}".rstrip() + f"\n{help_}\n" for words, help_ in helps.items()]
    return "".join("\n".join(line.rstrip() for line in it.splitlines()) + "\n" for it in sections)
