"""The requests the broker answers: which versions, and by whom.

Versions end where the protocol goes on to topic ids in place of names (Produce 13, Fetch 13) or to
the second version of transactions (KIP-890: EndTxn 5 and its likes). A handler is typed with the
newest version it answers; older ones have the same fields less some, so a field that came later is
read with a default.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.sandbox.kafka.apis import (
    cluster,
    configs,
    fetch,
    groups,
    list_offsets,
    offsets,
    produce,
    topics,
    transactions,
)
from app.sandbox.kafka.context import Broker, Client
from app.sandbox.kafka.wire import Answers

Handler = Callable[[Broker, Client, Any, Answers], Awaitable[Any]]
"""Gives the typed response, or None when the protocol wants no answer."""

API_VERSIONS = 18


@dataclass(frozen=True, slots=True)
class Api:
    """An API with the versions that are answered."""

    min_version: int
    max_version: int
    handler: Handler


APIS: Mapping[int, Api] = {
    0: Api(3, 9, produce.produce),
    1: Api(4, 12, fetch.fetch),
    2: Api(1, 7, list_offsets.list_offsets),
    3: Api(0, 12, cluster.metadata),
    8: Api(2, 9, offsets.offset_commit),
    9: Api(1, 9, offsets.offset_fetch),
    10: Api(0, 4, cluster.find_coordinator),
    11: Api(0, 9, groups.join_group),
    12: Api(0, 4, groups.heartbeat),
    13: Api(0, 5, groups.leave_group),
    14: Api(0, 5, groups.sync_group),
    15: Api(0, 5, groups.describe_groups),
    16: Api(0, 4, groups.list_groups),
    19: Api(2, 7, topics.create_topics),
    20: Api(1, 6, topics.delete_topics),
    21: Api(0, 2, topics.delete_records),
    22: Api(0, 5, transactions.init_producer_id),
    23: Api(2, 4, list_offsets.offset_for_leader_epoch),
    24: Api(0, 3, transactions.add_partitions_to_txn),
    25: Api(0, 4, transactions.add_offsets_to_txn),
    26: Api(0, 4, transactions.end_txn),
    28: Api(0, 4, transactions.txn_offset_commit),
    32: Api(1, 4, configs.describe_configs),
    33: Api(0, 2, configs.alter_configs),
    35: Api(1, 4, cluster.describe_log_dirs),
    37: Api(0, 3, topics.create_partitions),
    42: Api(0, 2, groups.delete_groups),
    44: Api(0, 1, configs.incremental_alter_configs),
    47: Api(0, 0, offsets.offset_delete),
    60: Api(0, 1, cluster.describe_cluster),
    61: Api(0, 0, transactions.describe_producers),
    65: Api(0, 0, transactions.describe_transactions),
    66: Api(0, 1, transactions.list_transactions),
}
"""By API key. ApiVersions (18) is answered by the server, from this very table."""

API_VERSIONS_RANGE = (0, 4)
