"""Compaction: of a compacted log, what has a newer record under the same key goes away.

As Apache Kafka's log cleaner does it: closed segments only, none younger than the minimal lag and
nothing that an open transaction could still change; not before enough of the log is dirty, or its
oldest dirty record is older than the maximal lag. A tombstone stays for `delete_retention_ms` after
compaction first saw it, so that a reader who began in time sees it. Records of aborted transactions
go at once, the control record of a transaction when it has no records left and its time is up.
Batches from which nothing goes stay byte for byte what they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.sandbox.kafka.batches import BatchHeader, Buffer, read_header
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.records import read_records, rewritten
from app.sandbox.kafka.segments import Segment

Stored = tuple[int, int, Buffer]
"""A batch as a segment takes it: last offset, newest timestamp (ms), bytes."""


@dataclass(frozen=True, slots=True)
class CompactionRules:
    """A topic's settings; times are milliseconds."""

    min_dirty_ratio: float = 0.5
    min_lag_ms: int = 0
    max_lag_ms: int = 2**63 - 1
    delete_retention_ms: int = 86_400_000


async def compact(log: PartitionLog, rules: CompactionRules, now: int) -> int:
    """Compact a log if it is due at `now` (ms); returns the bytes that were freed.

    Other work goes on between one segment and the next. Raises OSError (disk) and BatchRefused
    (records that cannot be read), and then what was not yet compacted is as it was.
    """
    segments = _cleanable(log, rules, now)
    if not _is_due(log, segments, rules, now):
        return 0
    dirty = [segment for segment in segments if segment.base_offset >= log.cleaned_to]
    latest: dict[bytes, int] = {}
    for segment in dirty:
        _note_keys(log, segment, latest)
        await asyncio.sleep(0)
    cleaner = _Cleaner(log, latest, now, rules.delete_retention_ms)
    freed = 0
    for segment in segments:
        if segment in log.segments:
            before = segment.size
            kept = list(cleaner.clean(segment))
            if cleaner.changed:
                log.replace(segment, kept)
                freed += before - sum(len(batch) for _, _, batch in kept)
        await asyncio.sleep(0)
    log.cleaned_to = segments[-1].last_offset + 1
    return freed


def _cleanable(log: PartitionLog, rules: CompactionRules, now: int) -> list[Segment]:
    found = []
    for segment in log.segments[:-1]:
        young = now - segment.newest_timestamp < rules.min_lag_ms
        if young or segment.last_offset >= log.last_stable_offset:
            break
        found.append(segment)
    return found


def _is_due(
    log: PartitionLog, segments: Sequence[Segment], rules: CompactionRules, now: int
) -> bool:
    dirty = [segment for segment in segments if segment.base_offset >= log.cleaned_to]
    if not dirty:
        return False
    if now - dirty[0].first_timestamp > rules.max_lag_ms:
        return True
    total = sum(segment.size for segment in segments)
    return sum(segment.size for segment in dirty) >= rules.min_dirty_ratio * total


def _note_keys(log: PartitionLog, segment: Segment, latest: dict[bytes, int]) -> None:
    for batch in segment.batches():
        header = read_header(batch)
        if header.is_control or log.transactions.is_aborted(header):
            continue
        for record in read_records(batch):
            if record.key is not None:
                latest[bytes(record.key)] = record.offset


class _Cleaner:
    """One pass over a log. `changed` says whether the last segment lost or gained anything."""

    def __init__(
        self, log: PartitionLog, latest: dict[bytes, int], now: int, delete_retention_ms: int
    ) -> None:
        self._log = log
        self._latest = latest
        self._now = now
        self._delete_retention_ms = delete_retention_ms
        self._with_records: set[int] = set()
        self.changed = False

    def clean(self, segment: Segment) -> Iterator[Stored]:
        """What stays of the segment's batches."""
        self.changed = False
        for batch in segment.batches():
            header = read_header(batch)
            kept = self._of_marker(header, batch) if header.is_control else self._of(header, batch)
            if kept is None:
                self.changed = True
                continue
            fresh, content = kept
            self.changed |= content is not batch
            yield fresh.last_offset, fresh.max_timestamp, content

    def _of(self, header: BatchHeader, batch: Buffer) -> tuple[BatchHeader, Buffer] | None:
        aborted = self._log.transactions.is_aborted(header)
        records = [] if aborted else list(read_records(batch)) if header.record_count else []
        kept = [record for record in records if self._stays(record, header.delete_horizon)]
        if kept and header.is_transactional:
            self._with_records.add(header.producer_id)
        horizon = header.delete_horizon
        if horizon is None and any(record.value is None for record in kept):
            horizon = self._now + self._delete_retention_ms
        if len(kept) == header.record_count and horizon == header.delete_horizon:
            return (header, batch) if kept or self._log.sequences.keeps(header) else None
        if not kept and not self._log.sequences.keeps(header):
            return None
        return rewritten(header, kept, horizon if kept else None)

    def _stays(self, record: Any, horizon: int | None) -> bool:
        if record.key is None or record.offset < self._latest.get(bytes(record.key), -1):
            return False
        return record.value is not None or horizon is None or self._now < horizon

    def _of_marker(self, header: BatchHeader, batch: Buffer) -> tuple[BatchHeader, Buffer] | None:
        if header.producer_id in self._with_records:
            self._with_records.discard(header.producer_id)
            return header, batch
        if header.delete_horizon is None:
            records = list(read_records(batch))
            return rewritten(header, records, self._now + self._delete_retention_ms)
        return (header, batch) if self._now < header.delete_horizon else None
