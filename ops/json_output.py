"""The output of a command for programs. Not here: what people read (text_output)."""

import json
import sys
from typing import Any


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
