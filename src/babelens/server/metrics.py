"""What Prometheus is told. Each service has its own registry, so that several may live in one process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from .service import Service
    from .workers import Workers

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def _taken(pool: Workers) -> float:
    return pool.taken


class Metrics:
    """Counters and histograms of one service; gauges are read when they are asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "babelens_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "babelens_request_seconds",
            "Time from the request to the end of the answer.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_sizes = Histogram(
            "babelens_encoder_batch",
            "Texts or pictures encoded in one call.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.answers = Counter(
            "babelens_answer_cache", "Answers looked for in the cache.", ["found"], registry=self.registry
        )

    def cached(self, found: bool) -> None:
        self.answers.labels("yes" if found else "no").inc()

    def watch(self, service: Service) -> None:
        """Adds the gauges of a service."""
        busy = Gauge("babelens_calls", "Calls that run or wait, by pool.", ["pool"], registry=self.registry)
        for name, pool in service.pools.items():
            busy.labels(name).set_function(partial(_taken, pool))
        loaded = Gauge("babelens_models_loaded", "Models in memory.", registry=self.registry)
        loaded.set_function(lambda: len(service.loaded))

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)
