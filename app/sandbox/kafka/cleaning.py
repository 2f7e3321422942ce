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
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.sandbox.kafka.batches import BatchHeader, Buffer, read_header
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.records import read_records, rewritten
from app.sandbox.kafka.segments import Segment

_SHARE_SECONDS = 0.01
"""How long compaction works before others have their turn."""


@dataclass(frozen=True, slots=True)
class CompactionRules:
    """A topic's settings; times are milliseconds."""

    min_dirty_ratio: float = 0.5
    min_lag_ms: int = 0
    max_lag_ms: int = 2**63 - 1
    delete_retention_ms: int = 86_400_000


async def compact(log: PartitionLog, rules: CompactionRules, now: int) -> int:
    """Compact a log if it is due at `now` (ms); returns the bytes that were freed.

    Other work goes on meanwhile, and no more than a batch is in memory at a time. Raises OSError
    (disk) and BatchRefused (records that cannot be read), and then what was not yet compacted is as
    it was.
    """
    segments = _cleanable(log, rules, now)
    if not _is_due(log, segments, rules, now):
        return 0
    turns = _Turns()
    latest: dict[bytes, int] = {}
    for segment in segments:
        if segment.base_offset >= log.cleaned_to:
            await _note_keys(log, segment, latest, turns)
    cleaner = _Cleaner(log, latest, now, rules.delete_retention_ms)
    freed = 0
    for segment in segments:
        fresh = await _cleaned(log, segment, cleaner, turns)
        if fresh is not None:
            freed += segment.size - fresh.size
            log.replace(segment, fresh)
    log.cleaned_to = segments[-1].last_offset + 1
    return freed


class _Turns:
    """Lets other work go on whenever this has had its share."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + _SHARE_SECONDS

    async def next(self) -> None:
        """Return at once, or when the others had their turn."""
        if time.perf_counter() >= self._until:
            await asyncio.sleep(0)
            self._until = time.perf_counter() + _SHARE_SECONDS


async def _batches(
    log: PartitionLog, segment: Segment, turns: _Turns
) -> AsyncIterator[tuple[int, Buffer]]:
    """The segment's batches with their numbers, as long as it is part of the log."""
    for number in range(len(segment)):
        await turns.next()
        if segment not in log.segments:
            return
        yield number, segment.batch(number)


async def _cleaned(
    log: PartitionLog, segment: Segment, cleaner: _Cleaner, turns: _Turns
) -> Segment | None:
    """A segment of what stays; None when all does, or the segment went meanwhile."""
    fresh: Segment | None = None
    try:
        async for number, batch in _batches(log, segment, turns):
            kept = cleaner.clean(batch)
            if fresh is None and (kept is None or kept[1] is not batch):
                fresh = log.beside(segment)
                async for before, same in _batches(log, segment, turns):
                    if before == number:
                        break
                    fresh.append(*segment.covers(before), same)
            if fresh is not None and kept is not None:
                fresh.append(kept[0].last_offset, kept[0].max_timestamp, kept[1])
    except BaseException:
        if fresh is not None:
            fresh.body.close(delete=True)
        raise
    if fresh is not None and segment not in log.segments:
        fresh.body.close(delete=True)
        return None
    return fresh


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


async def _note_keys(
    log: PartitionLog, segment: Segment, latest: dict[bytes, int], turns: _Turns
) -> None:
    async for _, batch in _batches(log, segment, turns):
        header = read_header(batch)
        if header.is_control or log.transactions.is_aborted(header):
            continue
        for record in read_records(batch):
            if record.key is not None:
                latest[bytes(record.key)] = record.offset


class _Cleaner:
    """One pass over a log."""

    def __init__(
        self, log: PartitionLog, latest: dict[bytes, int], now: int, delete_retention_ms: int
    ) -> None:
        self._log = log
        self._latest = latest
        self._now = now
        self._delete_retention_ms = delete_retention_ms
        self._with_records: set[int] = set()

    def clean(self, batch: Buffer) -> tuple[BatchHeader, Buffer] | None:
        """What stays of the next batch: the very batch, another in its place, or None."""
        header = read_header(batch)
        return self._of_marker(header, batch) if header.is_control else self._of(header, batch)

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
