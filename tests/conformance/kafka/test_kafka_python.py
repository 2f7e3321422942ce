"""kafka-python finds what it expects of a broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import (
    MessageSizeTooLargeError,
    NonEmptyGroupError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
)
from kafka.structs import OffsetAndMetadata

pytestmark = pytest.mark.broker

SECONDS = 60
Name = Callable[[str], str]


@pytest.fixture
def admin(kafka_address: str) -> Iterator[Any]:
    client = KafkaAdminClient(bootstrap_servers=kafka_address)
    yield client
    client.close()


@pytest.fixture
def topic(admin: Any, unique_name: Name) -> str:
    """A topic of two partitions."""
    name = unique_name("topic")
    admin.create_topics([NewTopic(name, 2, 1)], wait_for_metadata=True)
    return name


def send(address: str, topic: str, values: list[str], **options: Any) -> list[int]:
    """Produce values under their own keys to partition 0; their offsets."""
    producer = KafkaProducer(bootstrap_servers=address, linger_ms=5, **options)
    try:
        sent = [
            producer.send(topic, value.encode(), key=value.encode(), partition=0)
            for value in values
        ]
        producer.flush(SECONDS)
        return [future.get(SECONDS).offset for future in sent]
    finally:
        producer.close()


def consuming(address: str, group: str, *topics: str, **options: Any) -> Any:
    return KafkaConsumer(
        *topics,
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )


def read(consumer: Any, count: int) -> list[str]:
    """The next values."""
    values: list[str] = []
    deadline = time.monotonic() + SECONDS
    while len(values) < count:
        assert time.monotonic() < deadline, values
        polled = consumer.poll(timeout_ms=500, max_records=count - len(values))
        values += [record.value.decode() for records in polled.values() for record in records]
    return values


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true before a client would give up."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("codec", [None, "gzip"])
def test_records_come_back(
    kafka_address: str, topic: str, unique_name: Name, codec: str | None
) -> None:
    sent = [f"value {number}" * 20 for number in range(50)]
    assert send(kafka_address, topic, sent, compression_type=codec) == list(range(50))
    consumer = consuming(kafka_address, unique_name("group"), topic)
    try:
        assert read(consumer, 50) == sent
    finally:
        consumer.close()


def test_a_group_goes_on_where_it_committed(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b", "c", "d"], enable_idempotence=True)
    group, part = unique_name("group"), TopicPartition(topic, 0)
    first = consuming(kafka_address, group, topic)
    assert read(first, 2) == ["a", "b"]
    first.commit({part: OffsetAndMetadata(2, "two", -1)})
    first.close()
    second = consuming(kafka_address, group, topic)
    assert read(second, 2) == ["c", "d"]
    assert second.committed(part) == 2
    second.close()


def test_offsets_are_found_by_time_and_at_the_ends(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    began = round(time.time() * 1000) - 1_000
    producer = KafkaProducer(bootstrap_servers=kafka_address)
    for number in range(5):
        producer.send(topic, b"x", partition=0, timestamp_ms=began + number * 100)
    producer.close()
    part = TopicPartition(topic, 0)
    consumer = consuming(kafka_address, unique_name("group"))
    assert consumer.beginning_offsets([part]) == {part: 0}
    assert consumer.end_offsets([part]) == {part: 5}
    assert consumer.offsets_for_times({part: began + 150})[part].offset == 2
    assert consumer.offsets_for_times({part: began + 9_999})[part] is None
    consumer.close()


def test_topics_are_described_grown_and_deleted(admin: Any, topic: str) -> None:
    with pytest.raises(TopicAlreadyExistsError):
        admin.create_topics([NewTopic(topic, 1, 1)])
    admin.create_partitions({topic: 5})

    def partitions() -> int:
        (described,) = admin.describe_topics([topic])
        return len(described["partitions"])

    deadline = time.monotonic() + SECONDS
    while partitions() != 5:
        assert time.monotonic() < deadline
    admin.delete_topics([topic])
    while topic in admin.list_topics():
        assert time.monotonic() < deadline


def test_configs_are_read_and_changed(admin: Any, topic: str) -> None:
    def change(value: str) -> Any:
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": value})
        return admin.alter_configs([wanted])

    change("1000")
    described = ConfigResource(ConfigResourceType.TOPIC, topic)
    deadline = time.monotonic() + SECONDS
    while "1000" not in str(admin.describe_configs([described])):
        assert time.monotonic() < deadline
    assert "InvalidConfig" in str(change("soon"))


def test_records_are_deleted_up_to_an_offset(kafka_address: str, admin: Any, topic: str) -> None:
    send(kafka_address, topic, ["a", "b", "c"])
    part = TopicPartition(topic, 0)
    admin.delete_records({part: 2})
    with pytest.raises(OffsetOutOfRangeError):
        admin.delete_records({part: 99})


def test_groups_are_listed_described_and_deleted(
    kafka_address: str, admin: Any, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b", "c"])
    group, part = unique_name("group"), TopicPartition(topic, 0)
    consumer = consuming(kafka_address, group, topic)
    read(consumer, 2)
    consumer.commit({part: OffsetAndMetadata(2, "", -1)})
    assert "Stable" in str(admin.describe_groups([group]))
    refused = admin.delete_groups([group])
    assert NonEmptyGroupError.__name__ in str(refused) or "Non" in str(refused), refused
    consumer.close()
    assert group in str(admin.list_groups())
    assert "offset=2" in str(admin.list_group_offsets([group]))
    admin.delete_groups([group])
    assert group not in str(admin.list_groups())


def test_readers_of_committed_records_see_whole_transactions_only(
    kafka_address: str, admin: Any, topic: str, unique_name: Name
) -> None:
    name = unique_name("txn")
    producer = KafkaProducer(bootstrap_servers=kafka_address, transactional_id=name)
    producer.init_transactions()
    for values, commit in ((["a", "b"], True), (["no"], False), (["c"], True)):
        producer.begin_transaction()
        for value in values:
            producer.send(topic, value.encode(), partition=0)
        producer.flush()
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.close()
    options = {"isolation_level": "read_committed"}
    consumer = consuming(kafka_address, unique_name("group"), topic, **options)
    assert read(consumer, 3) == ["a", "b", "c"]
    consumer.close()
    assert name in str(admin.list_transactions())


def test_offsets_are_committed_with_their_transaction(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b"])
    group, part = unique_name("group"), TopicPartition(topic, 0)
    producer = KafkaProducer(bootstrap_servers=kafka_address, transactional_id=unique_name("txn"))
    producer.init_transactions()
    consumer = consuming(kafka_address, group, topic)
    read(consumer, 2)
    for offset, commit in ((1, False), (2, True)):
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            {part: OffsetAndMetadata(offset, "", -1)}, consumer.group_metadata()
        )
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
            assert consumer.committed(part) is None
    producer.close()
    # The transaction is over before its marker is in the group's log.
    assert eventually(lambda: consumer.committed(part) == 2)
    consumer.close()


def test_large_messages_come_and_those_above_the_topics_limit_are_refused(
    kafka_address: str, admin: Any, unique_name: Name
) -> None:
    topic = unique_name("large")
    limit = {"max.message.bytes": "3000000"}
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs=limit)], wait_for_metadata=True)
    producer = KafkaProducer(bootstrap_servers=kafka_address, max_request_size=9_000_000)
    producer.send(topic, b"x" * 2_500_000).get(SECONDS)
    with pytest.raises(MessageSizeTooLargeError):
        producer.send(topic, b"x" * 3_500_000).get(SECONDS)
    producer.close()
    consumer = consuming(kafka_address, unique_name("group"), topic, max_partition_fetch_bytes=1000)
    assert [len(value) for value in read(consumer, 1)] == [2_500_000]
    consumer.close()
