"""librdkafka, under confluent-kafka, finds what it expects of a broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

pytestmark = pytest.mark.broker

SECONDS = 60
Name = Callable[[str], str]


@pytest.fixture
def admin(kafka_address: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_address})


@pytest.fixture
def topic(admin: AdminClient, unique_name: Name) -> str:
    """A topic of two partitions."""
    name = unique_name("topic")
    create(admin, NewTopic(name, 2, 1))
    return name


def results(futures: dict[Any, Any]) -> list[Any]:
    """What an admin call's futures hold. Raises KafkaException."""
    return [future.result(SECONDS) for future in futures.values()]


def create(admin: AdminClient, topic: NewTopic) -> None:
    """Create a topic, and return when the brokers tell of it."""
    results(admin.create_topics([topic]))
    deadline = time.monotonic() + SECONDS
    while topic.topic not in admin.list_topics(timeout=SECONDS).topics:
        assert time.monotonic() < deadline
    admin.poll(0)


def send(address: str, topic: str, values: list[str], **options: Any) -> list[Message]:
    """Produce values under their own keys to partition 0; the delivered messages."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 5, **options})
    delivered: list[Message] = []

    def told(error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        delivered.append(message)

    for value in values:
        producer.produce(topic, value, key=value[:9], partition=0, on_delivery=told)
    assert producer.flush(SECONDS) == 0
    return delivered


@contextmanager
def consuming(address: str, group: str, *topics: str, **options: Any) -> Iterator[Consumer]:
    """A member of a group that begins at the beginning."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 60_000,
            **options,
        }
    )
    consumer.subscribe(list(topics))
    try:
        yield consumer
    finally:
        consumer.close()


def read(consumer: Consumer, count: int) -> list[str]:
    """The next values."""
    values: list[str] = []
    deadline = time.monotonic() + SECONDS
    while len(values) < count:
        assert time.monotonic() < deadline, values
        for message in consumer.consume(count - len(values), 0.5):
            assert message.error() is None, message.error()
            values.append(message.value().decode())
    return values


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_records_come_back_with_every_compression(
    kafka_address: str, topic: str, unique_name: Name, codec: str
) -> None:
    sent = [f"value {number}" * 20 for number in range(50)]
    delivered = send(kafka_address, topic, sent, **{"compression.type": codec})
    assert [message.offset() for message in delivered] == list(range(50))
    with consuming(kafka_address, unique_name("group"), topic) as consumer:
        assert read(consumer, 50) == sent


def test_a_group_goes_on_where_it_committed(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b", "c", "d"], **{"enable.idempotence": True})
    group = unique_name("group")
    with consuming(kafka_address, group, topic) as consumer:
        assert read(consumer, 2) == ["a", "b"]
        consumer.commit(offsets=[TopicPartition(topic, 0, 2, metadata="two")], asynchronous=False)
    with consuming(kafka_address, group, topic) as consumer:
        assert read(consumer, 2) == ["c", "d"]
        (committed,) = consumer.committed([TopicPartition(topic, 0)], timeout=SECONDS)
    assert (committed.offset, committed.metadata) == (2, "two")


def test_offsets_are_found_by_time_and_at_the_ends(
    kafka_address: str, admin: AdminClient, topic: str, unique_name: Name
) -> None:
    began = round(time.time() * 1000) - 1_000
    producer = Producer({"bootstrap.servers": kafka_address})
    for number in range(5):
        producer.produce(topic, "x", partition=0, timestamp=began + number * 100)
    assert producer.flush(SECONDS) == 0
    part = TopicPartition(topic, 0)

    def found(spec: OffsetSpec) -> int:
        (answer,) = results(admin.list_offsets({part: spec}))
        return int(answer.offset)

    assert found(OffsetSpec.earliest()) == 0
    assert found(OffsetSpec.latest()) == 5
    assert found(OffsetSpec.max_timestamp()) == 4
    assert found(OffsetSpec.for_timestamp(began + 150)) == 2
    with consuming(kafka_address, unique_name("group"), topic) as consumer:
        assert consumer.get_watermark_offsets(part, SECONDS) == (0, 5)


def test_records_are_deleted_up_to_an_offset(
    kafka_address: str, admin: AdminClient, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b", "c"])
    (deleted,) = results(admin.delete_records([TopicPartition(topic, 0, 2)]))
    assert deleted.low_watermark == 2
    with consuming(kafka_address, unique_name("group"), topic) as consumer:
        assert read(consumer, 1) == ["c"]
    with pytest.raises(KafkaException) as refused:
        results(admin.delete_records([TopicPartition(topic, 0, 99)]))
    assert refused.value.args[0].code() == KafkaError.OFFSET_OUT_OF_RANGE


def test_topics_grow_and_go(admin: AdminClient, topic: str) -> None:
    results(admin.create_partitions([NewPartitions(topic, 5)]))
    deadline = time.monotonic() + SECONDS
    while len(admin.list_topics(topic, timeout=SECONDS).topics[topic].partitions) != 5:
        assert time.monotonic() < deadline
    with pytest.raises(KafkaException) as refused:
        results(admin.create_topics([NewTopic(topic, 1, 1)]))
    assert refused.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    results(admin.delete_topics([topic]))
    while topic in admin.list_topics(timeout=SECONDS).topics:
        assert time.monotonic() < deadline


def test_configs_are_read_and_changed(admin: AdminClient, topic: str) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    (before,) = results(admin.describe_configs([resource]))
    assert (before["retention.ms"].value, before["retention.ms"].is_default) == ("604800000", True)
    changed = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
        ],
    )
    results(admin.incremental_alter_configs([changed]))
    deadline = time.monotonic() + SECONDS
    while True:
        (after,) = results(admin.describe_configs([resource]))
        if after["retention.ms"].value == "1000":
            break
        assert time.monotonic() < deadline
    wrong = ConfigResource(
        ResourceType.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)
        ],
    )
    with pytest.raises(KafkaException) as refused:
        results(admin.incremental_alter_configs([wrong]))
    assert refused.value.args[0].code() == KafkaError.INVALID_CONFIG


def test_groups_are_listed_described_changed_and_deleted(
    kafka_address: str, admin: AdminClient, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b", "c"])
    group = unique_name("group")
    with consuming(kafka_address, group, topic) as consumer:
        read(consumer, 2)
        consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
        (described,) = results(admin.describe_consumer_groups([group]))
        assert described.state.name == "STABLE"
        assert len(described.members[0].assignment.topic_partitions) == 2
        with pytest.raises(KafkaException) as refused:
            results(admin.delete_consumer_groups([group]))
        assert refused.value.args[0].code() == KafkaError.NON_EMPTY_GROUP
    listed = admin.list_consumer_groups().result(SECONDS)
    assert group in [one.group_id for one in listed.valid]
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    results(admin.alter_consumer_group_offsets([wanted]))
    (found,) = results(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    assert [part.offset for part in found.topic_partitions] == [1]
    results(admin.delete_consumer_groups([group]))
    listed = admin.list_consumer_groups().result(SECONDS)
    assert group not in [one.group_id for one in listed.valid]


def test_the_cluster_and_its_topics_are_described(admin: AdminClient, topic: str) -> None:
    cluster = admin.describe_cluster().result(SECONDS)
    assert [node.id for node in cluster.nodes] == [1]
    assert cluster.cluster_id


def transactional(address: str, name: str, **options: Any) -> Producer:
    """A transactional producer that has its epoch."""
    producer = Producer({"bootstrap.servers": address, "transactional.id": name, **options})
    producer.init_transactions(SECONDS)
    return producer


def test_readers_of_committed_records_see_whole_transactions_only(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    producer = transactional(kafka_address, unique_name("txn"))
    for values, commit in ((["a", "b"], True), (["no", "not"], False), (["c"], True)):
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        if commit:
            producer.commit_transaction(SECONDS)
        else:
            producer.flush(SECONDS)
            producer.abort_transaction(SECONDS)
    committed = {"isolation.level": "read_committed"}
    with consuming(kafka_address, unique_name("one"), topic, **committed) as consumer:
        assert read(consumer, 3) == ["a", "b", "c"]
    uncommitted = {"isolation.level": "read_uncommitted"}
    with consuming(kafka_address, unique_name("two"), topic, **uncommitted) as consumer:
        assert read(consumer, 5) == ["a", "b", "no", "not", "c"]


def test_an_open_transaction_holds_the_stable_end_back(
    kafka_address: str, admin: AdminClient, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["before"])
    producer = transactional(kafka_address, unique_name("txn"))
    producer.begin_transaction()
    producer.produce(topic, "inside", partition=0)
    producer.flush(SECONDS)
    send(kafka_address, topic, ["after"])
    part = TopicPartition(topic, 0)

    def end(level: IsolationLevel) -> int:
        (found,) = results(admin.list_offsets({part: OffsetSpec.latest()}, isolation_level=level))
        return int(found.offset)

    assert end(IsolationLevel.READ_UNCOMMITTED) == 3
    assert end(IsolationLevel.READ_COMMITTED) == 1
    producer.commit_transaction(SECONDS)
    deadline = time.monotonic() + SECONDS
    while end(IsolationLevel.READ_COMMITTED) != 4:
        assert time.monotonic() < deadline


def test_offsets_are_committed_with_their_transaction(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    send(kafka_address, topic, ["a", "b"])
    group = unique_name("group")
    producer = transactional(kafka_address, unique_name("txn"))
    part = TopicPartition(topic, 0)
    with consuming(kafka_address, group, topic) as consumer:
        read(consumer, 2)
        for offset, commit in ((1, False), (2, True)):
            producer.begin_transaction()
            producer.produce(topic, "out", partition=1)
            producer.send_offsets_to_transaction(
                [TopicPartition(topic, 0, offset)], consumer.consumer_group_metadata(), SECONDS
            )
            if commit:
                producer.commit_transaction(SECONDS)
            else:
                producer.abort_transaction(SECONDS)
                (kept,) = consumer.committed([part], timeout=SECONDS)
                assert kept.offset < 0
        (kept,) = consumer.committed([part], timeout=SECONDS)
    assert kept.offset == 2


def test_a_second_producer_of_a_transactional_id_fences_the_first(
    kafka_address: str, topic: str, unique_name: Name
) -> None:
    name = unique_name("txn")
    first = transactional(kafka_address, name)
    first.begin_transaction()
    first.produce(topic, "first", partition=0)
    first.flush(SECONDS)
    second = transactional(kafka_address, name)
    with pytest.raises(KafkaException) as fenced:
        first.commit_transaction(SECONDS)
    assert fenced.value.args[0].fatal()
    second.begin_transaction()
    second.produce(topic, "second", partition=0)
    second.commit_transaction(SECONDS)
    committed = {"isolation.level": "read_committed"}
    with consuming(kafka_address, unique_name("group"), topic, **committed) as consumer:
        assert read(consumer, 1) == ["second"]


def test_a_message_above_the_topics_limit_is_refused(
    kafka_address: str, admin: AdminClient, unique_name: Name
) -> None:
    topic = unique_name("small")
    create(admin, NewTopic(topic, 1, 1, config={"max.message.bytes": "1000"}))
    producer = Producer({"bootstrap.servers": kafka_address})
    told: list[int] = []
    producer.produce(topic, b"x" * 2000, on_delivery=lambda error, _: told.append(error.code()))
    assert producer.flush(SECONDS) == 0
    assert told == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_a_message_larger_than_a_fetch_comes_all_the_same(
    kafka_address: str, admin: AdminClient, unique_name: Name
) -> None:
    topic = unique_name("large")
    create(admin, NewTopic(topic, 1, 1, config={"max.message.bytes": "8000000"}))
    large = "x" * 5_000_000
    send(kafka_address, topic, ["a", large, "b"], **{"message.max.bytes": 8_000_000})
    small = {"fetch.message.max.bytes": 1000, "fetch.max.bytes": 6_000_000}
    small |= {"message.max.bytes": 6_000_000}
    with consuming(kafka_address, unique_name("group"), topic, **small) as consumer:
        assert [len(value) for value in read(consumer, 3)] == [1, len(large), 1]
