"""The metrics of one process, in the text format of Prometheus.

What a process did itself is counted here as it happens. What the store says is read for a scrape,
in one thread and within a deadline, so that a store which hangs costs a scrape its figures and
nothing else: `store_up` is 0 then. No scrape asks a mirror, nor GitHub.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from math import isnan, nan

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from gm_analytics import __version__, measures
from gm_analytics.engine.figures import Figure
from gm_analytics.measures import MIRRORS, OTHER, Labels, Measure
from gm_analytics.service import Service

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DEADLINE = 2.0
"""Seconds that a scrape waits for the store."""
FRESH = 2.0
"""Seconds for which what the store said is new enough: many scrapers are one look at it."""
Read = Callable[[], Sequence[Figure]]
"""Reads the store; may raise, and may take long."""

log = logging.getLogger(__name__)


class Metrics:
    """All metrics of this process; `mirrors` names those of the configuration."""

    def __init__(self, mirrors: Iterable[str], read: Read) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._mirrors = (*mirrors, OTHER)
        self._registry = CollectorRegistry(auto_describe=False)
        mine = [one for one in measures.ALL if one.told == "process"]
        self._kept = {one: self._made(one) for one in mine if one.kind != "gauge"}
        self._set: dict[Measure, float] = {one: nan for one in mine if one.kind == "gauge"}
        self._registry.register(_Known(self._set))
        self._registry.register(_OfTheStore(Look(read), self.labels, self._begins))
        ProcessCollector(registry=self._registry)
        info = Gauge(f"{measures.PREFIX}build_info", "Which version this is.", ["version"],
                     registry=self._registry)  # fmt: skip
        info.labels(__version__).set(1)

    @classmethod
    def of(cls, service: Service) -> Metrics:
        """Give those of a process; its store is opened by the first scrape."""
        names = [mirror.name for mirror in service.settings.mirrors]
        return cls(names, lambda: service.store.figures())  # noqa: PLW0108  # lazy

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens in this process until the block ends."""
        with measures.heard_by(self.hear):
            yield

    def text(self) -> bytes:
        """Give all of it."""
        return prometheus_client.generate_latest(self._registry)

    def hear(self, measure: Measure, value: float, labels: Labels) -> None:
        """Count; what nobody declared is no metric."""
        if measure in self._set:
            self._set[measure] = value
        kept = self._kept.get(measure)
        if kept is None:
            return
        one = kept.labels(**self.labels(measure, labels)) if measure.labels else kept
        if isinstance(one, Counter):
            one.inc(value)
        elif isinstance(one, Histogram):
            one.observe(value)

    def labels(self, measure: Measure, given: Labels) -> dict[str, str]:
        """Give a label for each that a measure has, with a value that it may have."""
        found = {name: given.get(name, OTHER) for name in measure.labels}
        return {
            name: value if value in self._values(measure, name) else OTHER
            for name, value in found.items()
        }

    def _values(self, measure: Measure, name: str) -> Sequence[str]:
        values = measure.labels[name]
        return self._mirrors if values == MIRRORS else values

    def _begins(self, measure: Measure) -> Iterator[dict[str, str]]:
        """Give the labels that a measure has from the start, at 0: else the first is no increase.

        `other` is there once it is needed.
        """
        names = list(measure.labels)
        for values in product(*(self._values(measure, name) for name in names)):
            found = dict(zip(names, values, strict=True))
            fits = not measure.only or any(one.items() <= found.items() for one in measure.only)
            if fits and OTHER not in values:
                yield found

    def _made(self, measure: Measure) -> MetricWrapperBase:
        about = (measure.full_name, measure.says, list(measure.labels))
        if measure.kind == "histogram":
            return Histogram(*about, buckets=measure.buckets, registry=self._registry)
        made = Counter(*about, registry=self._registry)
        if measure.labels:
            for labels in self._begins(measure):
                made.labels(**labels)
        return made


class _Known(Collector):
    """Gives the gauges of this process that are known: one that is not is no 0."""

    def __init__(self, values: Mapping[Measure, float]) -> None:
        self._values = values

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for measure, value in self._values.items():
            if not isnan(value):
                yield GaugeMetricFamily(measure.full_name, measure.says, value=value)


class Look:
    """Reads the store in a thread of its own, and waits for it so long and no longer."""

    def __init__(self, read: Read, deadline: float = DEADLINE, fresh: float = FRESH) -> None:
        self._read = read
        self._deadline, self._fresh = deadline, fresh
        self._changed = threading.Condition()
        self._busy = False
        self._began = self._ended = float("-inf")
        self._found: Sequence[Figure] | None = None

    def figures(self) -> Sequence[Figure] | None:
        """Give what the store says now; None if it does not."""
        asked = time.monotonic()
        with self._changed:
            if self._is_fresh(asked):
                return self._found
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._look, name="figures", daemon=True).start()
            answered = self._changed.wait_for(lambda: self._ended >= asked, self._deadline)
            return self._found if answered else None

    def _is_fresh(self, now: float) -> bool:
        return self._found is not None and now - self._ended < self._fresh

    def _look(self) -> None:
        found: Sequence[Figure] | None = None
        try:
            found = self._read()
        except Exception as failure:  # a scrape says it, and this says why
            log.warning("metrics: reading the store: %s", str(failure).partition("\n")[0])
        with self._changed:
            self._found, self._ended, self._busy = found, time.monotonic(), False
            self._changed.notify_all()


class _OfTheStore(Collector):
    """Makes metrics of what the store says."""

    def __init__(
        self,
        look: Look,
        labels: Callable[[Measure, Labels], dict[str, str]],
        begins: Callable[[Measure], Iterator[dict[str, str]]],
    ) -> None:
        self._look, self._labels, self._begins = look, labels, begins

    def collect(self) -> Iterator[GaugeMetricFamily]:
        figures = self._look.figures()
        up = Figure(measures.STORE_UP, 0.0 if figures is None else 1.0)
        for measure in measures.ALL:
            if measure.told == "store":
                mine = [one for one in (up, *(figures or ())) if one.of is measure]
                yield self._family(measure, mine, is_known=figures is not None)

    def _family(
        self, measure: Measure, figures: Sequence[Figure], *, is_known: bool
    ) -> GaugeMetricFamily:
        """Give its numbers; those that several have one label for are added up, ages are not."""
        names = list(measure.labels)
        family = GaugeMetricFamily(measure.full_name, measure.says, labels=names)
        begins = self._begins(measure) if is_known and measure.is_zero_without else iter(())
        values = {tuple(one.values()): 0.0 for one in begins}
        for figure in figures:
            key = tuple(self._labels(measure, figure.labels).values())
            if OTHER in key and not measure.is_zero_without:
                continue  # what was seen of a mirror that is configured no more
            before = values.get(key, 0.0)
            values[key] = before + figure.value if measure.is_a_sum else max(before, figure.value)
        for key, value in values.items():
            family.add_metric(key, value)
        return family
