"""Prometheus metrics of the backend: requests, statements, and the pool."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from etter.db.database import Database
from etter.db.record import RequestRecord

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of one running backend, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "etter_requests", "Requests answered", ["route", "method", "status"], registry=self.registry
        )
        self._duration = Histogram(
            "etter_request_duration_seconds", "Time to answer", ["route"], registry=self.registry, buckets=_SECONDS
        )
        self.active = Gauge("etter_requests_active", "Requests being answered", registry=self.registry)
        self._query_duration = Histogram(
            "etter_db_query_duration_seconds", "Time per statement", registry=self.registry, buckets=_SECONDS
        )
        self._slow = Counter("etter_db_slow_queries", "Statements over the slow limit", registry=self.registry)
        self._per_request = Histogram(
            "etter_db_queries_per_request",
            "Statements per request",
            registry=self.registry,
            buckets=(0, 1, 2, 3, 5, 10, 20, 50),
        )

    def query_finished(self, seconds: float, *, slow: bool) -> None:
        """Count one statement; called from database threads."""
        self._query_duration.observe(seconds)
        if slow:
            self._slow.inc()

    def request_finished(self, record: RequestRecord, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(record.route, method, str(status)).inc()
        self._duration.labels(record.route).observe(seconds)
        self._per_request.observe(record.queries)

    def watch_pool(self, database: Database) -> None:
        """Export the pool's state whenever the metrics are read."""
        self.registry.register(_PoolCollector(database))

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)


class PoolState:
    """A reading of the pool: sizes in connections."""

    __slots__ = ("capacity", "checked_out", "idle")

    def __init__(self, engine: Engine) -> None:
        pool = engine.pool
        assert isinstance(pool, QueuePool)
        self.checked_out = pool.checkedout()
        self.idle = pool.checkedin()
        self.capacity = pool.size() + max(0, pool._max_overflow)  # noqa: SLF001 - no public reader exists

    @property
    def utilisation(self) -> float:
        """Share of the capacity in use, 0 to 1; the target is below 0.8."""
        return self.checked_out / self.capacity


class _PoolCollector(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read the pool."""
        state = PoolState(self._database.engine)
        readings = (
            ("checked_out", "Connections in use", state.checked_out),
            ("idle", "Connections waiting in the pool", state.idle),
            ("capacity", "Most connections the pool may open", state.capacity),
            ("utilisation", "Share of the capacity in use", state.utilisation),
            ("waiting_requests", "Requests waiting for a database thread", self._database.waiting),
        )
        for name, text, value in readings:
            yield GaugeMetricFamily(f"etter_db_pool_{name}", text, value=value)
