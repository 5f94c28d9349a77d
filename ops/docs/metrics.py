"""What the parts measure, read from the code: every metric with its kind, labels and words. Not here: what an alert makes of them (deploy/monitoring/rules)."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from ops.local.state_dir import ROOT

DOCUMENT = ROOT / "docs/monitoring.md"
_BEGIN_MARK, _END_MARK = "<!-- written by ./bina docs: {} -->\n", "\n<!-- end -->"
_SOURCES = {
    "bina": "every part",
    "gateway": "gateway",
    "training": "training",
    "certification": "certification",
    "marketplace": "marketplace",
    "manpower": "manpower",
}
METRIC_NAME = re.compile(rf"\b(?:{'|'.join(_SOURCES)})_[a-z0-9_]+\b")
_SAMPLES: dict[str, tuple[str, ...]] = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
}


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """One metric of ours."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str

    @property
    def samples(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps it."""
        return tuple(self.name + end for end in _SAMPLES.get(self.kind, ("",)))

    @property
    def source(self) -> str:
        """Who exposes it."""
        return _SOURCES[self.name.partition("_")[0]]


def list_metrics() -> list[MetricDescription]:
    """Every metric that a part of ours can show, by name."""
    for module in (
        "gateway.app",
        "chassis.persistence.pool_metrics",
        *(
            f"services.{name}.app"
            for name in ("training", "certification", "marketplace", "manpower")
        ),
    ):
        importlib.import_module(module)
    collectors: Any = REGISTRY._collector_to_names  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it lists no collectors otherwise
    found: list[MetricDescription] = []
    for collector in collectors:
        told: list[Metric] = list(collector.collect())
        labels = getattr(collector, "_labelnames", None) or (
            [collector.label] if getattr(collector, "label", "") else []
        )
        found += [
            MetricDescription(one.name, one.type, tuple(labels), one.documentation)
            for one in told
            if one.name.partition("_")[0] in _SOURCES
        ]
    return sorted(found, key=lambda one: one.name)


def render_table() -> str:
    """The lines of docs/monitoring.md."""
    rows = [
        f"| `{one.samples[0].removesuffix('_bucket')}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.description} | {one.source} |"
        for one in list_metrics()
    ]
    return "\n".join(
        ["| Metric | Kind | Labels | Says | Told by |", "|---|---|---|---|---|", *rows]
    )


def replace_sections(text: str, **sections: str) -> str:
    """A document in which each part between its marks is this text. KeyError when it has no such marks."""
    for name, part in sections.items():
        before, begins, rest = text.partition(_BEGIN_MARK.format(name))
        _, ends, after = rest.partition(_END_MARK)
        if not begins or not ends:
            raise KeyError(name)
        text = before + begins + part + ends + after
    return text
