"""The answer of a command to a program. Not here: what people read."""

import json
import sys
from typing import Any


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
