"""What the broker does by itself now and then: retention, compaction, and what has timed out."""

from __future__ import annotations

import asyncio
import logging
import time

from app.sandbox.kafka.batches import BatchRefused
from app.sandbox.kafka.cleaning import CompactionRules, compact
from app.sandbox.kafka.log import PartitionLog
from app.sandbox.kafka.state import BrokerState, Topic
from app.sandbox.kafka.transactions import TransactionCoordinator

logger = logging.getLogger(__name__)


async def keep_house(state: BrokerState, transactions: TransactionCoordinator) -> None:
    """Look after everything at the intervals of the settings, until cancelled."""
    settings = state.settings
    loop = asyncio.get_running_loop()
    next_logs = loop.time() + settings.log_check_interval
    while True:
        await asyncio.sleep(min(settings.transaction_check_interval, settings.log_check_interval))
        transactions.abort_overdue()
        if loop.time() >= next_logs:
            await look_after_logs(state)
            next_logs = loop.time() + settings.log_check_interval


async def look_after_logs(state: BrokerState, now: int | None = None) -> None:
    """Apply retention and compaction to every log, as of `now` (ms since 1970, None: this moment).
    A log that cannot be read or written is left as it is, with an error in the broker's own log."""
    moment = round(time.time() * 1000) if now is None else now
    for topic in list(state.topics.values()):
        for number, log in enumerate(topic.partitions):
            try:
                await _look_after(topic, log, moment, state.settings.producer_id_expiration)
            except (OSError, BatchRefused) as error:
                logger.error("%s-%d: cannot be cleaned: %s", topic.name, number, error)


async def _look_after(topic: Topic, log: PartitionLog, now: int, producer_seconds: float) -> None:
    policy = topic.config("cleanup.policy")
    if "delete" in policy:
        retention_ms = int(topic.config("retention.ms"))
        log.delete_old(now, retention_ms, int(topic.config("retention.bytes")))
    if "compact" in policy:
        rules = CompactionRules(
            min_dirty_ratio=float(topic.config("min.cleanable.dirty.ratio")),
            min_lag_ms=int(topic.config("min.compaction.lag.ms")),
            max_lag_ms=int(topic.config("max.compaction.lag.ms")),
            delete_retention_ms=int(topic.config("delete.retention.ms")),
        )
        await compact(log, rules, now)
    log.sequences.forget_before(now - round(producer_seconds * 1000))
