"""Gauges that a leased job measures at intervals, for example the age of a snapshot.

One replica measures at a time. A replica that has lost its lease must not keep exposing its last
values, so a value is exposed for three intervals only.

Not here: counters of occurrences (telemetry), what is measured (the services).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

JOB = "metrics"
EVERY_SECONDS = 60.0
SHOWN_INTERVALS = 3
MAX_SERIES = 1_000  # of one gauge; the largest values are kept, because alerts look for those


class ScheduledGauge(Collector):
    """A gauge with at most one label, set as a whole every `every` seconds."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label: str = "",
        *,
        every: float = EVERY_SECONDS,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.label = label
        self._shown_seconds = SHOWN_INTERVALS * every
        self._values: Mapping[str, float] = {}
        self._shown_until = 0.0
        registry.register(self)

    def set(self, value: float) -> None:
        """Set the value of a gauge without label."""
        self.set_by_label({"": value})

    def set_if_known(self, value: float | None) -> None:
        """Set the value of a gauge without label; None hides it."""
        self.set_by_label({} if value is None else {"": value})

    def set_by_label(self, values: Mapping[str, float]) -> None:
        """Set the values by label; a label that is not named is no longer shown."""
        self._values = dict(heapq.nlargest(MAX_SERIES, values.items(), key=lambda item: item[1]))
        self._shown_until = time.monotonic() + self._shown_seconds

    def collect(self) -> Iterator[Metric]:
        """Yield the gauge as it is shown now."""
        labels = [self.label] if self.label else []
        family = GaugeMetricFamily(self.name, self.documentation, labels=labels)
        if time.monotonic() < self._shown_until:
            for label, value in self._values.items():
                family.add_metric([label] if self.label else [], value)
        yield family
