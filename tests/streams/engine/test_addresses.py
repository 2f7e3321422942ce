"""Which worker has which partition, as the group's leader tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.structs import TopicPartition as KafkaPartition
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata

from streams.engine.addresses import EngineAssignor
from streams.engine.records import TopicPartition

ONE, TWO = "http://one:8080", "http://two:8080"
SHARED = {ONE: {"changes": [0, 2]}, TWO: {"changes": [1]}}


class _Members:
    """What stands for Faust's table manager: there are no Faust tables."""

    changelog_topics: ClassVar[frozenset[str]] = frozenset()
    data: ClassVar[dict[str, Any]] = {}

    def by_topic(self, topic: str) -> None:
        return None


def assignor(address: str) -> EngineAssignor:
    app: Any = SimpleNamespace(tables=_Members(), conf=SimpleNamespace(canonical_url=address))
    return EngineAssignor(app)


def told(to: EngineAssignor, address: str, partitions: list[int]) -> Any:
    """What the leader sends to the member that it knows by this address."""
    metadata = ClientMetadata(
        assignment=ClientAssignment(actives={"changes": partitions}, standbys={}),
        url=address,
        changelog_distribution={},
        external_topic_distribution=SHARED,
        topic_groups={"changes": 0},
    )
    body = to._compress(metadata.dumps())
    return ConsumerProtocolMemberAssignment(to.version, [("changes", partitions)], body)


def test_each_partition_has_the_address_of_its_worker() -> None:
    one = assignor(ONE)
    assert one.address_of(TopicPartition("changes", 0)) is None
    one.on_assignment(told(one, ONE, [0, 2]))
    found = [one.address_of(TopicPartition("changes", number)) for number in range(4)]
    assert found == [ONE, TWO, ONE, None]
    assert one.address_of(TopicPartition("elsewhere", 0)) is None


def test_an_assignment_for_a_former_address_is_taken_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    moved = assignor("http://one:9999")
    moved.on_assignment(told(moved, ONE, [0, 2]))
    assert moved.assigned_actives() == {KafkaPartition("changes", 0), KafkaPartition("changes", 2)}
    assert "know this one as http://one:8080, not http://one:9999" in caplog.text
