"""The metric catalogue: every metric of ours, its type, labels and meaning. Nowhere else is one.

Names follow ``dovetail_<area>_<thing>_<unit>[_total]``; label values come from closed lists, never
from data (reference/sre-ecosystem.md 1.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

#: From a change in Dynamics to its outcome: roughly doubling, one second to six hours.
_FRESHNESS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200, 21600)
_CALLS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 30, 60)
_RECOVERY = (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 1800)
_STAGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


@dataclass
class Metrics:
    """The metrics of one worker, registered in ``registry``."""

    registry: CollectorRegistry = field(default_factory=lambda: REGISTRY)

    def __post_init__(self) -> None:
        self._path()
        self._writers()
        self._state()

    def _path(self) -> None:
        self.received = self._counter(
            "dovetail_messages_received_total", "Messages that a stage took up.", "stage", "topic"
        )
        self.emitted = self._counter(
            "dovetail_messages_emitted_total", "Messages that a stage sent.", "stage", "topic"
        )
        self.skipped = self._counter(
            "dovetail_messages_skipped_total",
            "Messages left aside on purpose, by reason.",
            "stage",
            "reason",
        )
        self.dead_letters = self._counter(
            "dovetail_dead_letters_total",
            "Messages that could not be understood, by error.",
            "stage",
            "error",
        )
        self.stage_seconds = self._histogram(
            "dovetail_stage_duration_seconds",
            "Time that a stage spent on one batch.",
            _STAGES,
            "stage",
        )
        self.decisions = self._counter(
            "dovetail_decisions_total", "Decisions, by rule's flow and reason.", "flow", "reason"
        )
        self.commands = self._counter(
            "dovetail_commands_total", "Commands that decide sent.", "flow", "command"
        )
        self.gate_violations = self._counter(
            "dovetail_gate_violations_total",
            "Records that were finalised although their gate was not open.",
            "rule",
        )
        self.approvals_overdue = self._counter(
            "dovetail_approvals_overdue_total",
            "Requests that nobody decided in time.",
            "rule",
        )
        self.times_reached = self._counter(
            "dovetail_times_reached_total",
            "Records decided again: by their timer, or stuck because an outcome did not come.",
            "reason",
        )
        self.stuck_steps = self._gauge(
            "dovetail_stuck_steps", "Steps that stay without outcome over a whole pass."
        )
        self.near_misses = self._counter(
            "dovetail_echo_near_misses_total",
            "Changes by our own user that are not what we wrote: the early sign of a write loop.",
        )
        self.last_event = self._gauge(
            "dovetail_last_event_timestamp_seconds",
            "Time of the newest change that a stage has seen.",
            "stage",
        )

    def _writers(self) -> None:
        self.writes = self._counter(
            "dovetail_writes_total",
            "Commands that a writer finished; result is done, already_true or refused.",
            "system",
            "command",
            "result",
        )
        self.write_retries = self._counter(
            "dovetail_write_retries_total", "Attempts that will be repeated.", "system", "error"
        )
        self.refusals = self._counter(
            "dovetail_refusals_total", "Commands refused for good.", "system", "code"
        )
        self.freshness = self._histogram(
            "dovetail_freshness_seconds",
            "From the change in its source to the outcome in the other system.",
            _FRESHNESS,
            "system",
        )
        self.slots_used = self._gauge("dovetail_writer_slots_used", "Calls under way.", "system")
        self.slots = self._gauge("dovetail_writer_slots", "Calls allowed at a time.", "system")
        self.circuit_open = self._gauge(
            "dovetail_circuit_open", "1 while we hold our calls to the system.", "system"
        )
        self.throttle_wait = self._counter(
            "dovetail_http_throttle_wait_seconds_total",
            "Time spent waiting because the system asked for it or our limiter did.",
            "system",
        )
        self.http_requests = self._counter(
            "dovetail_http_requests_total",
            "HTTP requests; code is the status, or timeout or connection.",
            "system",
            "operation",
            "code",
        )
        self.http_seconds = self._histogram(
            "dovetail_http_request_duration_seconds",
            "How long HTTP requests took.",
            _CALLS,
            "system",
            "operation",
        )

    def _state(self) -> None:
        self.lag_messages = self._gauge(
            "dovetail_consumer_lag_messages", "Messages not yet taken up.", "topic", "partition"
        )
        self.partitions_assigned = self._gauge(
            "dovetail_partitions_assigned", "Partitions that this worker holds.", "topic"
        )
        self.recovery_remaining = self._gauge(
            "dovetail_table_recovery_remaining_changes",
            "Changelog records still to be read before the worker is ready.",
            "table",
        )
        self.checkpoint_seconds = self._histogram(
            "dovetail_checkpoint_duration_seconds",
            "From the end of a batch until its offsets and rows are committed.",
            _STAGES,
            "stage",
        )
        self.in_flight = self._gauge(
            "dovetail_messages_in_flight",
            "Commands that a writer has begun and not finished.",
            "stage",
            "partition",
        )
        self.rebalances = self._counter(
            "dovetail_rebalances_total", "How often the group divided its partitions anew."
        )
        self.recovery_seconds = self._histogram(
            "dovetail_table_recovery_duration_seconds",
            "How long a table's partition took to recover.",
            _RECOVERY,
            "table",
        )
        self.rows_corrected = self._counter(
            "dovetail_table_rows_corrected_total",
            "Rows that were written and never committed, set right after a crash.",
            "table",
        )
        self.limit_tripped = self._gauge(
            "dovetail_dead_letter_limit_tripped",
            "1 when a stage stopped instead of draining its topic into the dead letters.",
            "stage",
        )
        self.held_events = self._counter(
            "dovetail_events_held_total", "ECM events that wait for their workspace's owner."
        )
        self.topics_missing = self._gauge(
            "dovetail_source_topics_missing", "Topics that are listened to and do not exist."
        )
        self.halted = self._gauge("dovetail_worker_halted", "1 when the worker halted itself.")
        self.build_info = self._gauge(
            "dovetail_build_info", "1; which version and rules are live.", "version", "rules"
        )

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)
