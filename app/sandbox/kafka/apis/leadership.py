"""The checks that precede every request to a partition's leader."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.context import Broker
from app.sandbox.kafka.log import PartitionLog

_ANY_EPOCH = -1


def leader_of(
    broker: Broker, topic: str, index: int, epoch: int = _ANY_EPOCH
) -> tuple[ErrorCode, PartitionLog | None]:
    """The log to serve a request from, or the error to answer; `epoch` is the leader epoch that the
    client believes in, -1 for none (KIP-320)."""
    log = broker.state.partition(topic, index)
    if log is None:
        return ErrorCode.unknown_topic_or_partition, None
    if broker.faults.is_not_leader(topic, index):
        return ErrorCode.not_leader_or_follower, None
    if epoch > log.epochs.current:
        return ErrorCode.unknown_leader_epoch, None
    if _ANY_EPOCH < epoch < log.epochs.current:
        return ErrorCode.fenced_leader_epoch, None
    return ErrorCode.none, log
