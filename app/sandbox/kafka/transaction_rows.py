"""What is known of one transactional id, and how that is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from app.sandbox.kafka.journal import Value
from app.sandbox.kafka.offsets import Committed

Partition = tuple[str, int]
"""Topic and index."""


class TransactionState(Enum):
    """The states, by the names that DescribeTransactions shows."""

    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"


@dataclass(slots=True)
class Transaction:
    """One transactional id: its producer and its present transaction. `timeout` is seconds,
    `started` and `updated` are milliseconds since 1970, `started` -1 before anything began."""

    transactional_id: str
    producer_id: int
    epoch: int
    timeout: float
    state: TransactionState = TransactionState.EMPTY
    started: int = -1
    updated: int = -1
    previous_id: int = -1
    partitions: set[Partition] = field(default_factory=set)
    offsets: dict[str, dict[Partition, Committed]] = field(default_factory=dict)
    """What will be committed with it: by group, by partition."""
    groups: set[str] = field(default_factory=set)
    """The groups it was told of."""


def stored(transaction: Transaction) -> Value:
    """The journal's value of a transaction."""
    return [
        {
            "producer_id": transaction.producer_id,
            "epoch": transaction.epoch,
            "timeout": transaction.timeout,
            "state": transaction.state.value,
            "started": transaction.started,
            "updated": transaction.updated,
            "previous_id": transaction.previous_id,
            "partitions": sorted(transaction.partitions),
            "groups": sorted(transaction.groups),
            "offsets": [
                [group, topic, index, commit.offset, commit.leader_epoch, commit.metadata]
                for group, commits in transaction.offsets.items()
                for (topic, index), commit in commits.items()
            ],
        }
    ]


def revived(name: str, value: Value) -> Transaction:
    """The transaction that `stored` made this value of."""
    kept: dict[str, Any] = value[0]
    offsets: dict[str, dict[Partition, Committed]] = {}
    for group, topic, index, *commit in kept.pop("offsets"):
        offsets.setdefault(group, {})[(topic, index)] = Committed(*commit)
    partitions = {(topic, index) for topic, index in kept.pop("partitions")}
    state = TransactionState(kept.pop("state"))
    groups = set(kept.pop("groups"))
    return Transaction(
        name, **kept, state=state, partitions=partitions, groups=groups, offsets=offsets
    )
