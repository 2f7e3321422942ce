"""The one place where a failure becomes a dead letter, or stops the stage.

A dead-letter topic without a limit is a machine for losing data: when too many messages in a row,
or too large a share of the last ones, cannot be understood, something else is wrong, and the stage
halts instead of draining its topic (after arroyo's DlqLimit).
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from streams.engine.records import Outgoing, Record
from streams.errors import DovetailError, Misconfigured
from streams.messages.dead_letters import Failure
from streams.metrics import Metrics
from streams.topics import DEAD_LETTERS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetterLimit:
    """Halt after so many dead letters in a row, or above this share of the last ``window``."""

    consecutive: int = 100
    ratio: float = 0.5
    window: int = 1000


class Guard:
    """Makes dead letters for one stage, and keeps count."""

    def __init__(self, stage: str, metrics: Metrics, limit: DeadLetterLimit) -> None:
        self.stage = stage
        self.metrics = metrics
        self.limit = limit
        self._recent: deque[bool] = deque(maxlen=limit.window)
        self._in_a_row = 0

    def passed(self) -> None:
        """Count a message that was understood."""
        self._recent.append(False)
        self._in_a_row = 0

    def dead_letter(self, record: Record, error: Exception) -> Outgoing:
        """Return the message as it came, with what went wrong; raises Misconfigured at the limit.

        Anything but our own errors is a fault of ours: it is logged with its trace.
        """
        code = error.code if isinstance(error, DovetailError) else "unexpected_error"
        where = f"{record.topic}/{record.partition}/{record.offset}"
        if isinstance(error, DovetailError):
            log.warning("dead letter", extra={"at": where, "error": code, "why": str(error)})
        else:
            log.error("dead letter", extra={"at": where, "error": code}, exc_info=error)
        self._count(where)
        self.metrics.dead_letters.labels(self.stage, code).inc()
        failure = Failure(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            stage=self.stage,
            code=code,
            message=str(error) or type(error).__name__,
        )
        headers = (*record.headers, *failure.headers())
        return Outgoing(DEAD_LETTERS.name, record.key, record.value, headers)

    def _count(self, where: str) -> None:
        self._recent.append(True)
        self._in_a_row += 1
        share = sum(self._recent) / len(self._recent)
        full = len(self._recent) == self.limit.window
        if self._in_a_row < self.limit.consecutive and not (full and share > self.limit.ratio):
            return
        self.metrics.limit_tripped.labels(self.stage).set(1)
        raise Misconfigured(
            f"stage {self.stage} stopped at {where}: {self._in_a_row} messages in a row, and "
            f"{share:.0%} of the last {len(self._recent)}, could not be understood",
            code="dead_letter_limit",
            advice="look at them with 'dovetail dlq list'; then correct the source or raise "
            "DOVETAIL_DEAD_LETTER_LIMIT_CONSECUTIVE, and start again",
        )
