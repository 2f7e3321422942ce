"""Stage 1, decode: bytes of any producer in, facts under our own key out. Touches no table.

Every message ends as facts, as a counted skip with a reason, or as a dead letter with its bytes,
key and headers (DESIGN, promise 1).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from streams.engine.records import Outgoing, Record, Rows
from streams.formats import Skipped, SourceMessage, decode
from streams.guard import Guard
from streams.messages.facts import EcmEvent, RecordChange
from streams.metrics import Metrics
from streams.rules import RuleBook
from streams.topics import CHANGES

NAME = "decode-changes"


@dataclass
class DecodeStage:
    """Decodes each message of a batch."""

    book: RuleBook
    metrics: Metrics
    guard: Guard

    def __post_init__(self) -> None:
        self._business_objects = self.book.business_objects()

    def handle(self, batch: Sequence[Record], rows: Rows) -> Sequence[Outgoing]:
        started = time.perf_counter()
        sent: list[Outgoing] = []
        for record in batch:
            self.metrics.received.labels(NAME, record.topic).inc()
            try:
                facts = [_outgoing(fact) for fact in self._facts(record)]
            except Exception as error:  # what cannot be read is kept, never lost
                sent.append(self.guard.dead_letter(record, error))
                continue
            self.guard.passed()
            sent.extend(facts)
        for message in sent:
            self.metrics.emitted.labels(NAME, message.topic).inc()
        self.metrics.stage_seconds.labels(NAME).observe(time.perf_counter() - started)
        return sent

    def _facts(self, record: Record) -> Sequence[RecordChange | EcmEvent]:
        message = SourceMessage(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp_ms,
            key=record.key,
            value=record.value,
            headers=record.headers,
        )
        decoded = decode(message, self.book.catalogue, self._business_objects)
        if isinstance(decoded, Skipped):
            self.metrics.skipped.labels(NAME, decoded.reason.value).inc()
            return ()
        if decoded:
            self.metrics.last_event.labels(NAME).set(max(f.at_ms for f in decoded) / 1000)
        return decoded


def _outgoing(fact: RecordChange | EcmEvent) -> Outgoing:
    return Outgoing(CHANGES.name, fact.key.encode(), fact.to_json())
