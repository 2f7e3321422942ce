"""What clients and engine report, as metrics."""

from __future__ import annotations

from dataclasses import dataclass

from streams.engine import SilentObserver
from streams.metrics import Metrics


@dataclass
class HttpMetrics:
    """Counts the requests of the clients."""

    metrics: Metrics

    def on_request(self, system: str, operation: str, code: str, seconds: float) -> None:
        self.metrics.http_requests.labels(system, operation, code).inc()
        self.metrics.http_seconds.labels(system, operation).observe(seconds)


class EngineMetrics(SilentObserver):
    """Counts what the engine reports."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def checkpoint_done(self, stage: str, partition: int, records: int, seconds: float) -> None:
        self._metrics.checkpoint_seconds.labels(stage).observe(seconds)

    def in_flight(self, stage: str, partition: int, records: int) -> None:
        self._metrics.in_flight.labels(stage, str(partition)).set(records)

    def rebalanced(self, assigned: int) -> None:
        self._metrics.rebalances.inc()

    def recovered(self, table: str, partition: int, records: int, seconds: float) -> None:
        self._metrics.recovery_seconds.labels(table).observe(seconds)

    def corrected(self, table: str, partition: int, rows: int) -> None:
        self._metrics.rows_corrected.labels(table).inc(rows)

    def halted(self, reason: str) -> None:
        self._metrics.halted.set(1)
