"""Which worker has which partition, by the address that each advertises to its group.

Faust's assignor carries an address of each member to the leader, and the leader tells every member
which address has which partitions: it comes and goes with the assignment itself, needs no topic,
and cannot disagree with it. It is known from the moment at which partitions are given out until
they move again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

from aiokafka.cluster import ClusterMetadata
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor

from streams.engine.records import TopicPartition

log = logging.getLogger(__name__)


class EngineAssignor(PartitionAssignor):
    """Faust's assignor; takes an assignment that was made for this worker's former address too.

    A static member that comes back gets the assignment that it had, without a rebalance; Faust
    insists that it names the address of today.
    """

    def on_assignment(self, assignment: Any) -> None:
        """Take over what the leader told."""
        told = cast(ClientMetadata, ClientMetadata.loads(self._decompress(assignment.user_data)))
        if told.url != str(self._url):
            log.warning(
                "Other workers know this one as %s, not %s, until the group is divided anew",
                told.url,
                self._url,
            )
            body = self._compress(told.derive(url=str(self._url)).dumps())
            assignment = type(assignment)(assignment.version, assignment.assignment, body)
        super().on_assignment(assignment)

    def left_over(self, cluster: ClusterMetadata, topics: Iterable[str]) -> frozenset[str]:
        """The topics of which some partition is nobody's, as the leader divided the group."""
        given: dict[str, set[int]] = defaultdict(set)
        for shares in self.external_topic_distribution.values():
            for topic, partitions in shares.items():
                given[topic].update(partitions)
        return frozenset(
            topic
            for topic in topics
            if not (cluster.partitions_for_topic(topic) or set()) <= given[topic]
        )

    def address_of(self, place: TopicPartition) -> str | None:
        """The address of the worker that has a partition; None while nobody is known to."""
        for address, topics in self.external_topic_distribution.items():
            if place.partition in topics.get(place.topic, ()):
                return str(address).rstrip("/")
        return None
