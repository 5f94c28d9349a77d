"""Figures that a leased job measures now and then, e.g. how old a list is. Not here: what is counted as it happens (telemetry), and what is measured.

One replica measures at a time. One that has lost its lease must not go on showing what it saw: a figure is shown for three rounds, then no more.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Mapping

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

JOB, EVERY_SECONDS, ROUNDS = "metrics", 60.0, 3
MOST = 1_000  # series of one figure: the largest, which are those that alerts look for


class ScheduledGauge(Collector):
    """A gauge with one label or none, set as a whole. `every` is how often it is measured, in seconds."""

    def __init__(
        self,
        name: str,
        words: str,
        label: str = "",
        *,
        every: float = EVERY_SECONDS,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self.name, self.words, self.label, self._fresh = name, words, label, ROUNDS * every
        self._values: Mapping[str, float] = {}
        self._until = 0.0
        registry.register(self)

    def set(self, value: float) -> None:
        """What was measured."""
        self.set_by_label({"": value})

    def set_by_label(self, values: Mapping[str, float]) -> None:
        """What was measured, by the label's value; what is not named is shown no more."""
        self._values, self._until = (
            dict(heapq.nlargest(MOST, values.items(), key=lambda item: item[1])),
            time.monotonic() + self._fresh,
        )

    def collect(self) -> Iterator[Metric]:
        """The figure as it is shown now."""
        shown = GaugeMetricFamily(self.name, self.words, labels=[self.label] if self.label else [])
        for label, value in self._values.items() if time.monotonic() < self._until else ():
            shown.add_metric([label] if self.label else [], value)
        yield shown
