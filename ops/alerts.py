"""The alerts as docs/monitoring.md lists them, read from the rule files. Not here: the rules."""

from __future__ import annotations

import re

from ops.home import ROOT

RULES = ROOT / "deploy/monitoring/rules"
_ALERT = re.compile(r'- alert: (?P<name>\w+).*?severity: (?P<severity>\w+).*?summary_en: "(?P<words>[^"]+)"', re.DOTALL)
_LABEL = re.compile(r"\{\{ \$labels\.(?:exported_)?(\w+) \}\}")
_GENERATED = "slos.yml"


def table(generated: str) -> str:
    """The lines of docs/monitoring.md; `generated` is the text of the rules that are written from data."""
    written = [file.read_text(encoding="utf-8") for file in sorted(RULES.glob("*.yml")) if file.name != _GENERATED]
    found = sorted((one["name"], one["severity"], _LABEL.sub(r"a \1", one["words"])) for text in (*written, generated) for one in _ALERT.finditer(text))
    rows = [f"| [{name}](runbooks/{name}.md) | {severity} | {words} |" for name, severity, words in found]
    return "\n".join(["| Alert | Severity | Says |", "|---|---|---|", *rows])
