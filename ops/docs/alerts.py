"""The alerts as docs/monitoring.md lists them, and all rules as the Prometheus operator takes them, read from the rule files. Not here: the rules."""

from __future__ import annotations

import re
import textwrap

from ops.local.state_dir import ROOT

RULES, PROMETHEUS_RULES = (
    ROOT / "deploy/monitoring/rules",
    ROOT / "deploy/k8s/components/monitoring/rules.yaml",
)
_ALERT = re.compile(
    r'- alert: (?P<name>\w+).*?severity: (?P<severity>\w+).*?summary_en: "(?P<words>[^"]+)"',
    re.DOTALL,
)
_LABEL = re.compile(r"\{\{ \$labels\.(?:exported_)?(\w+) \}\}")
_GENERATED = "slos.yml"
_SEVERITY, NAMESPACE = "labels: {severity: ", "bina"
_HEAD = (
    "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\nspec:\n"
)


def render_table(generated: str) -> str:
    """The lines of docs/monitoring.md; `generated` is the text of the rules that are written from data."""
    found = sorted(
        (one["name"], one["severity"], _LABEL.sub(r"a \1", one["words"]))
        for text in _read_rule_files(generated).values()
        for one in _ALERT.finditer(text)
    )
    rows = [
        f"| [{name}](runbooks/{name}.md) | {severity} | {words} |"
        for name, severity, words in found
    ]
    return "\n".join(["| Alert | Severity | Says |", "|---|---|---|", *rows])


def render_prometheus_rules(generated: str) -> str:
    """The rules as one PrometheusRule for each file. Each alert says its namespace: an AlertmanagerConfig is heard on alerts of its own namespace only."""
    told = {
        name: text.replace(_SEVERITY, _SEVERITY.replace("{", f"{{namespace: {NAMESPACE}, "))
        for name, text in _read_rule_files(generated).items()
    }
    made = [
        _HEAD.format(name=name) + textwrap.indent(text[text.index("groups:") :], "  ")
        for name, text in told.items()
    ]
    return "# Written by ./bina docs from deploy/monitoring/rules: change those.\n" + "---\n".join(
        made
    )


def _read_rule_files(generated: str) -> dict[str, str]:
    return {
        file.stem: generated if file.name == _GENERATED else file.read_text(encoding="utf-8")
        for file in sorted(RULES.glob("*.yml"))
    }
