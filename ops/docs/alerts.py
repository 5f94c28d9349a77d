"""The table of alerts in docs/monitoring.md, and the rules for the Prometheus operator.

Both are generated from deploy/monitoring/rules. Not here: the rules.
"""

from __future__ import annotations

import re
import textwrap

from ops.docs.generated_blocks import replace_blocks
from ops.local import topology
from ops.local.state_dir import ROOT

RULES = ROOT / "deploy/monitoring/rules"
PIPELINE_RULES = RULES / "pipeline.yml"
PROMETHEUS_RULES = ROOT / "deploy/k8s/components/monitoring/rules.yaml"
NAMESPACE = "bina"
_ALERT = re.compile(
    r'- alert: (?P<name>\w+).*?severity: (?P<severity>\w+).*?summary_en: "(?P<words>[^"]+)"',
    re.DOTALL,
)
_LABEL = re.compile(r"\{\{ \$labels\.(?:exported_)?(\w+) \}\}")
_SLO_RULES = "slos"
_SEVERITY = "labels: {severity: "
_SEVERITY_IN_NAMESPACE = f"labels: {{namespace: {NAMESPACE}, severity: "
_HEADER = "# Written by ./bina docs from deploy/monitoring/rules: change those.\n"
_RULE_OBJECT = (
    "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: {name}\nspec:\n"
)


def render_pipeline_rules() -> str:
    """Return pipeline.yml with the list of processes that ProcessDown expects in a region."""
    up = 'count by (region, job) (up{job="bina"})'
    expected = "\n".join(
        f'or label_replace({up}, "service", "{process.name}", "", "")'
        for process in topology.PROCESSES
    )
    text = PIPELINE_RULES.read_text(encoding="utf-8")
    return replace_blocks(text, {"expected-processes": expected})


def render_table(slo_rules: str) -> str:
    """Return the table of alerts for docs/monitoring.md; `slo_rules` is the text of slos.yml."""
    rows: list[tuple[str, str]] = []
    for text in _read_rule_files(slo_rules).values():
        for alert in _ALERT.finditer(text):
            name = alert["name"]
            words = _LABEL.sub(r"a \1", alert["words"])
            row = f"| [{name}](runbooks/{name}.md) | {alert['severity']} | {words} |"
            rows.append((name, row))
    lines = [row for _, row in sorted(rows)]
    return "\n".join(["| Alert | Severity | Says |", "|---|---|---|", *lines])


def render_prometheus_rules(slo_rules: str) -> str:
    """Return one PrometheusRule for each rule file.

    Each alert gets a namespace label, because an AlertmanagerConfig handles only alerts with its
    own namespace.
    """
    objects: list[str] = []
    for name, text in _read_rule_files(slo_rules).items():
        groups = text[text.index("groups:") :].replace(_SEVERITY, _SEVERITY_IN_NAMESPACE)
        objects.append(_RULE_OBJECT.format(name=name) + textwrap.indent(groups, "  "))
    return _HEADER + "---\n".join(objects)


def _read_rule_files(slo_rules: str) -> dict[str, str]:
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(RULES.glob("*.yml"))}
    return texts | {PIPELINE_RULES.stem: render_pipeline_rules(), _SLO_RULES: slo_rules}
