"""Service level objectives: from deploy/monitoring/slos.toml to rules and burn-rate alerts.

Multi-window, multi-burn-rate (Google's SRE workbook, chapter 5): the long window shows that a
significant part of the budget is spent, the short window that it is still being spent.
Not here: the objectives, and other rules.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from ops.local.state_dir import ROOT

SLOS = ROOT / "deploy/monitoring/slos.toml"
RULES = ROOT / "deploy/monitoring/rules/slos.yml"
_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective: the share of `total` that must be `good` over `days`, in per cent."""

    name: str
    objective: float
    days: int
    by: str
    good: str
    total: str
    says: str
    meaning: str
    indonesian: str
    english: str
    consequence: str

    @property
    def budget(self) -> str:
        """The share that may be bad, as a PromQL number."""
        return f"{(100 - self.objective) / 100:.6g}"


@dataclass(frozen=True, slots=True)
class Burn:
    """A kind of alert that every objective has.

    It fires when, in both windows of a pair, the budget is spent faster than the pair's factor.
    """

    suffix: str
    severity: str
    wait: str
    pairs: tuple[tuple[str, str, float], ...]


BURNS = (
    Burn("BudgetBurnsFast", "page", "2m", (("5m", "1h", 14.4), ("30m", "6h", 6))),
    Burn("BudgetBurnsSlowly", "ticket", "15m", (("2h", "1d", 3), ("6h", "3d", 1))),
)


def read_slos() -> list[Slo]:
    """Return the objectives."""
    table = tomllib.loads(SLOS.read_text(encoding="utf-8"))
    return [Slo(name=name, **fields) for name, fields in table.items()]


def render_rules() -> str:
    """Return the text of rules/slos.yml."""
    lines = ["# Written by ./bina docs from ../slos.toml: change that.", "groups:"]
    for slo in read_slos():
        lines += [f"  - name: slo-{slo.name.lower()}", "    rules:"]
        for window in _WINDOWS:
            lines += _render_recording(slo, window)
        for burn in BURNS:
            lines += ["", *_render_alert(slo, burn)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def render_table() -> str:
    """Return the table of objectives for docs/monitoring.md."""
    rows = [
        f"| {slo.name} | {slo.objective:g} % over {slo.days} days | {slo.says} | {slo.meaning} |"
        for slo in read_slos()
    ]
    return "\n".join(["| Objective | Of | Says | For the prison |", "|---|---|---|---|", *rows])


def _render_recording(slo: Slo, window: str) -> list[str]:
    """Return the rule that records the bad share; without good series the share is 1."""
    good = slo.good.replace("$window", window)
    total = slo.total.replace("$window", window)
    return [
        f"      - record: slo:bad:ratio_rate{window}",
        "        expr: >-",
        f"          1 - (({good})",
        f"          or 0 * ({total}))",
        f"          / ({total})",
        f"        labels: {{slo: {slo.name}}}",
    ]


def _render_alert(slo: Slo, burn: Burn) -> list[str]:
    name = f"{slo.name}{burn.suffix}"
    lines = [f"      - alert: {name}", "        expr: >-"]
    for number, (short, long, factor) in enumerate(burn.pairs):
        both = " and ".join(_burns_faster(slo, window, factor) for window in (short, long))
        lines.append(f"          {'or ' if number else ''}({both})")
    return [
        *lines,
        f"        for: {burn.wait}",
        f"        labels: {{severity: {burn.severity}}}",
        "        annotations:",
        f'          summary: "{slo.indonesian}"',
        f'          summary_en: "{slo.english}"',
        f'          meaning: "{slo.consequence}"',
        f"          runbook: docs/runbooks/{name}.md",
    ]


def _burns_faster(slo: Slo, window: str, factor: float) -> str:
    return f'slo:bad:ratio_rate{window}{{slo="{slo.name}"}} > {factor:g} * {slo.budget}'
