"""The tables of metrics for docs/monitoring.md: of our processes, and of exporters.

Not here: alerts on metrics (deploy/monitoring/rules), where an exporter runs.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric

from ops.local import topology
from ops.local.state_dir import ROOT

DOCUMENT = ROOT / "docs/monitoring.md"
EXPORTERS = ROOT / "deploy/monitoring/exporters.toml"
_BEGIN_MARK = "<!-- written by ./bina docs: {} -->\n"
_END_MARK = "\n<!-- end -->"
# The processes that expose a metric, by the first word of its name.
_SOURCES = {"bina": "every process"} | {
    process.name: process.name for process in topology.PROCESSES
}
METRIC_NAME = re.compile(rf"\b(?:{'|'.join(_SOURCES)})_[a-z0-9_]+\b")
_SAMPLES: dict[str, tuple[str, ...]] = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
}


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """One of our metrics, for the table."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of its series in Prometheus."""
        return tuple(self.name + end for end in _SAMPLES.get(self.kind, ("",)))

    @property
    def source(self) -> str:
        """The processes that expose it."""
        return _SOURCES[_first_word(self.name)]


def list_metrics() -> list[MetricDescription]:
    """Return every metric that our processes can expose, sorted by name."""
    importlib.import_module("chassis.persistence.drivers.pool_metrics")
    for process in topology.PROCESSES:
        importlib.import_module(f"{process.module}.app")
    # The registry has no public list of its collectors.
    registry: Any = REGISTRY
    collectors: Any = registry._collector_to_names  # noqa: SLF001
    descriptions: list[MetricDescription] = []
    for collector in collectors:
        descriptions += _describe(collector)
    return sorted(descriptions, key=lambda description: description.name)


def _describe(collector: Any) -> list[MetricDescription]:
    metrics: list[Metric] = list(collector.collect())
    labels = tuple(getattr(collector, "_labelnames", ()))
    if not labels and getattr(collector, "label", ""):
        labels = (collector.label,)
    return [
        MetricDescription(metric.name, metric.type, labels, metric.documentation)
        for metric in metrics
        if _first_word(metric.name) in _SOURCES
    ]


def _first_word(name: str) -> str:
    return name.partition("_")[0]


def render_table() -> str:
    """Return the table of metrics for docs/monitoring.md."""
    lines = ["| Metric | Kind | Labels | Says | Exposed by |", "|---|---|---|---|---|"]
    for metric in list_metrics():
        name = metric.samples[0].removesuffix("_bucket")
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(
            f"| `{name}` | {metric.kind} | {labels} | {metric.description} | {metric.source} |"
        )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Exporter:
    """An exporter; `job` is its job in Prometheus, `metrics` has the labels by metric."""

    job: str
    image: str
    version: str
    says: str
    metrics: Mapping[str, tuple[str, ...]]


def read_exporters() -> list[Exporter]:
    """Return every exporter, in the order of the file."""
    content: dict[str, dict[str, Any]] = tomllib.loads(EXPORTERS.read_text(encoding="utf-8"))
    return [
        Exporter(
            job=job,
            image=entry["image"],
            version=entry["version"],
            says=entry["says"],
            metrics={name: tuple(labels) for name, labels in entry["metrics"].items()},
        )
        for job, entry in content.items()
    ]


def render_exporters() -> str:
    """Return the table of exporters for docs/monitoring.md."""
    lines = [
        "| Job | Exporter | Version | Says | Metrics that rules use |",
        "|---|---|---|---|---|",
    ]
    for exporter in read_exporters():
        names = ", ".join(f"`{name}`" for name in exporter.metrics)
        lines.append(
            f"| `{exporter.job}` | `{exporter.image}` | {exporter.version} | {exporter.says}"
            f" | {names} |"
        )
    return "\n".join(lines)


def replace_sections(text: str, **sections: str) -> str:
    """Return the document with each section between its marks replaced.

    Raises KeyError when a section has no marks in the document.
    """
    for name, section in sections.items():
        before, begin, rest = text.partition(_BEGIN_MARK.format(name))
        _, end, after = rest.partition(_END_MARK)
        if not begin or not end:
            raise KeyError(name)
        text = before + begin + section + end + after
    return text
