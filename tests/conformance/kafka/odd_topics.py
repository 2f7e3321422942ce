"""Odd requests around topics: CreateTopics, DeleteTopics, CreatePartitions, configs, Metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.conformance.kafka.observing import Observer, odd
from tests.sandbox.kafka.raw import types

NAMES = {
    "empty": "",
    "a dot": ".",
    "two dots": "..",
    "a space": "a b",
    "an umlaut": "ä",
    "249 letters": "x" * 249,
    "250 letters": "x" * 250,
    "a slash": "a/b",
}
BAD_CONFIGS = {
    "unknown": {"no.such.config": "1"},
    "policy": {"cleanup.policy": "sometimes"},
    "empty policy": {"cleanup.policy": ""},
    "policy twice": {"cleanup.policy": "delete,delete"},
    "compression": {"compression.type": "rar"},
    "retention below": {"retention.ms": "-2"},
    "retention words": {"retention.ms": "a week"},
    "retention of a fraction": {"retention.ms": "1.5"},
    "retention bytes": {"retention.bytes": "-2"},
    "segment of nothing": {"segment.bytes": "0"},
    "segment of 1000": {"segment.bytes": "1000"},
    "segment of 1 MiB": {"segment.bytes": "1048576"},
    "segment.ms": {"segment.ms": "0"},
    "isr": {"min.insync.replicas": "0"},
    "ratio": {"min.cleanable.dirty.ratio": "1.5"},
    "boolean": {"unclean.leader.election.enable": "maybe"},
    "message size": {"max.message.bytes": "-1"},
    "too large a number": {"max.message.bytes": "99999999999"},
    "timestamp type": {"message.timestamp.type": "Whenever"},
    "timestamp type in small letters": {"message.timestamp.type": "createtime"},
    "lags that cross": {"min.compaction.lag.ms": "2000", "max.compaction.lag.ms": "1000"},
    "an old name": {"message.format.version": "3.0"},
    "gzip level": {"compression.gzip.level": "99"},
    "lz4 level": {"compression.lz4.level": "99"},
    "delete retention": {"delete.retention.ms": "-1"},
    "flush": {"flush.messages": "0"},
    "index interval": {"index.interval.bytes": "-1"},
    "local above retention": {"local.retention.ms": "2000", "retention.ms": "1000"},
    "before max": {"message.timestamp.before.max.ms": "-1"},
    "white space": {"retention.ms": " 1000 "},
    "upper case boolean": {"preallocate": "TRUE"},
    "upper case policy": {"cleanup.policy": "Compact"},
    "policy with a space": {"cleanup.policy": "compact, delete"},
}


def creation(*topics: Any, validate_only: bool = False) -> Any:
    return types(19, 7).CreateTopicsRequest(
        topics=topics, timeout=timedelta(seconds=10), validate_only=validate_only
    )


def new_topic(
    name: str,
    partitions: int = 1,
    replicas: int = 1,
    *,
    configs: Mapping[str, str | None] | None = None,
    assignments: Mapping[int, Sequence[int]] | None = None,
) -> Any:
    t = types(19, 7)
    return t.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        assignments=tuple(
            t.CreatableReplicaAssignment(partition_index=index, broker_ids=tuple(brokers))
            for index, brokers in (assignments or {}).items()
        ),
        configs=tuple(
            t.CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()
        ),
    )


@odd
async def create_topics_under_odd_names(o: Observer) -> None:
    for what, name in NAMES.items():
        await o.codes(what, creation(new_topic(name), validate_only=True))
    await o.codes("the offsets topic", creation(new_topic("__consumer_offsets")))


@odd
async def create_topics_that_clash(o: Observer) -> None:
    topic = await o.topic("a.b")
    await o.codes("again", creation(new_topic(topic)))
    await o.codes("again, only to see", creation(new_topic(topic), validate_only=True))
    await o.codes("its twin", creation(new_topic(topic.replace("a.b", "a_b"))))
    name = o.name("twice")
    await o.codes("twice in one request", creation(new_topic(name), new_topic(name)))
    await o.codes("one good, one bad", creation(new_topic(o.name("good")), new_topic("a b")))


@odd
async def create_topics_in_odd_sizes(o: Observer) -> None:
    for partitions in (0, -1, -2):
        await o.codes(
            f"{partitions} partitions",
            creation(new_topic(o.name(f"p{partitions}"), partitions), validate_only=True),
        )
    for partitions in (10_000, 10_001, 2**31 - 1):
        wanted = new_topic(o.name("many"), partitions)
        await o.codes(f"{partitions} partitions", creation(wanted, validate_only=True))
    halves = creation(*(new_topic(o.name(f"half{n}"), 5_001) for n in range(2)), validate_only=True)
    await o.codes("10002 partitions in two topics", halves)
    for replicas in (0, -1, -2, 2):
        await o.codes(
            f"{replicas} replicas",
            creation(new_topic(o.name(f"r{replicas}"), 1, replicas), validate_only=True),
        )
    assigned = {
        "assigned": {0: [1], 1: [1]},
        "assigned to nobody known": {0: [9]},
        "assigned with a gap": {0: [1], 2: [1]},
        "assigned twice": {0: [1, 1]},
        "assigned unevenly": {0: [1], 1: []},
    }
    for what, assignments in assigned.items():
        wanted = new_topic(o.name("as"), -1, -1, assignments=assignments)
        await o.codes(what, creation(wanted, validate_only=True))
    both = new_topic(o.name("both"), 1, 1, assignments={0: [1]})
    await o.codes("assigned and counted", creation(both, validate_only=True))


@odd
async def create_topics_with_odd_configs(o: Observer) -> None:
    for what, configs in BAD_CONFIGS.items():
        wanted = new_topic(o.name("configs"), configs=configs)
        await o.codes(what, creation(wanted, validate_only=True))
    nothing = new_topic(o.name("configs"), configs={"retention.ms": None})
    await o.codes("null", creation(nothing, validate_only=True))


@odd
async def delete_topics_oddly(o: Observer) -> None:
    topic = await o.topic("delete")
    t = types(20, 6)

    def deletion(*names: str | None, topic_id: UUID | None = None) -> Any:
        topics = tuple(t.DeleteTopicState(name=name, topic_id=topic_id) for name in names)
        return t.DeleteTopicsRequest(topics=topics, timeout=timedelta(seconds=10))

    await o.codes("unknown", deletion(o.name("none")))
    await o.codes("empty name", deletion(""))
    await o.codes("an id that nobody has", deletion(None, topic_id=UUID(int=77)))
    await o.codes("neither", deletion(None))
    await o.codes("name and id", deletion(topic, topic_id=UUID(int=77)))
    await o.codes("named twice", deletion(topic, topic))
    await o.codes("known", deletion(topic))
    await o.codes("gone", deletion(topic))


@odd
async def create_partitions_oddly(o: Observer) -> None:
    topic = await o.topic("grow", 2)
    t = types(37, 3)

    def growth(name: str, count: int, assignments: Any = None, *, only: bool = False) -> Any:
        wanted = None
        if assignments is not None:
            wanted = tuple(
                t.CreatePartitionsAssignment(broker_ids=tuple(brokers)) for brokers in assignments
            )
        asked = t.CreatePartitionsTopic(name=name, count=count, assignments=wanted)
        return t.CreatePartitionsRequest(
            topics=(asked,), timeout=timedelta(seconds=10), validate_only=only
        )

    await o.codes("unknown topic", growth(o.name("none"), 3))
    await o.codes("as many as there are", growth(topic, 2))
    await o.codes("fewer", growth(topic, 1))
    await o.codes("none", growth(topic, 0))
    await o.codes("negative", growth(topic, -1))
    await o.codes("too few assigned", growth(topic, 5, [[1]]))
    await o.codes("assigned to nobody known", growth(topic, 3, [[9]]))
    await o.codes("assigned twice", growth(topic, 3, [[1, 1]]))
    await o.codes("too many replicas", growth(topic, 3, [[1, 2]]))
    await o.codes("10000 more, only to see", growth(topic, 10_002, only=True))
    await o.codes("10001 more, only to see", growth(topic, 10_003, only=True))
    await o.codes("only to see", growth(topic, 3, only=True))
    await o.codes("one more", growth(topic, 3, [[1]]))


@odd
async def describe_odd_configs(o: Observer) -> None:
    topic = await o.topic("described", configs={"retention.ms": "1234"})
    t = types(32, 4)

    def question(kind: int, name: str, *keys: str) -> Any:
        asked = t.DescribeConfigsResource(
            resource_type=kind, resource_name=name, configuration_keys=keys or None
        )
        return t.DescribeConfigsRequest(
            resources=(asked,), include_synonyms=False, include_documentation=False
        )

    await o.codes("unknown topic", question(2, o.name("none")))
    await o.codes("invalid topic", question(2, "a b"))
    await o.codes("empty topic", question(2, ""))
    await o.codes("unknown kind", question(99, "x"))
    await o.codes("kind 0", question(0, "x"))
    await o.codes("another broker", question(4, "77"))
    await o.codes("no broker's number", question(4, "one"))
    named = await o.codes("a key", question(2, topic, "retention.ms", "no.such.key"))
    o.note("the key", [(c.name, c.value) for c in named.results[0].configs])
    every = await o.codes("all keys", question(2, topic))
    # What the test's Apache Kafka is started with differs from its defaults here and there.
    o.note(
        "all values",
        {
            c.name: [c.value, c.config_type, c.read_only, c.is_sensitive, c.config_source]
            for c in sorted(every.results[0].configs, key=lambda c: c.name)
        },
    )


@odd
async def alter_configs_oddly(o: Observer) -> None:
    topic = await o.topic("altered", configs={"cleanup.policy": "delete"})
    t = types(44, 1)

    def change(
        *changes: tuple[str, int, str | None], name: str = topic, kind: int = 2, only: bool = False
    ) -> Any:
        configs = tuple(
            t.AlterableConfig(name=key, config_operation=operation, value=value)
            for key, operation, value in changes
        )
        asked = t.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
        return t.IncrementalAlterConfigsRequest(resources=(asked,), validate_only=only)

    await o.codes("unknown topic", change(("retention.ms", 0, "1"), name=o.name("none")))
    await o.codes("invalid topic", change(("retention.ms", 0, "1"), name="a b"))
    await o.codes("unknown kind", change(("retention.ms", 0, "1"), kind=99))
    await o.codes("unknown key", change(("no.such.key", 0, "1")))
    await o.codes("unknown key deleted", change(("no.such.key", 1, None)))
    await o.codes("unknown operation", change(("retention.ms", 9, "1")))
    await o.codes("set to null", change(("retention.ms", 0, None)))
    await o.codes("delete with a value", change(("retention.ms", 1, "5")))
    await o.codes("append to no list", change(("retention.ms", 2, "5")))
    await o.codes("subtract from no list", change(("retention.ms", 3, "5")))
    await o.codes("append", change(("cleanup.policy", 2, "compact")))
    await o.codes("append what is there", change(("cleanup.policy", 2, "compact")))
    await o.codes("subtract", change(("cleanup.policy", 3, "delete")))
    await o.codes("subtract the last", change(("cleanup.policy", 3, "compact")))
    await o.codes("bad value", change(("retention.ms", 0, "x")))
    await o.codes("bad value, only to see", change(("retention.ms", 0, "x"), only=True))
    await o.codes("key twice", change(("retention.ms", 0, "1"), ("retention.ms", 0, "2")))
    await o.codes("nothing", change())
    whole = types(33, 2)
    for what, key, value in (
        ("replaced", "retention.ms", "77"),
        ("replaced by an unknown key", "no.such.key", "1"),
        ("replaced by null", "retention.ms", None),
    ):
        config = whole.AlterableConfig(name=key, value=value)
        asked = whole.AlterConfigsResource(resource_type=2, resource_name=topic, configs=(config,))
        request = whole.AlterConfigsRequest(resources=(asked,), validate_only=False)
        await o.codes(what, request)


@odd
async def ask_for_odd_metadata(o: Observer) -> None:
    t = types(3, 12)

    def question(name: str | None, topic_id: UUID | None = None) -> Any:
        asked = t.MetadataRequestTopic(name=name, topic_id=topic_id)
        return t.MetadataRequest(
            topics=(asked,),
            allow_auto_topic_creation=False,
            include_topic_authorized_operations=False,
        )

    await o.codes("unknown", question(o.name("none")))
    await o.codes("invalid", question("a b"))
    await o.codes("empty", question(""))
    await o.codes("an id that nobody has", question(None, UUID(int=77)))
    older = types(3, 11)
    asked = older.MetadataRequestTopic(name=None, topic_id=UUID(int=77))
    await o.codes(
        "an id before version 12",
        older.MetadataRequest(
            topics=(asked,),
            allow_auto_topic_creation=False,
            include_topic_authorized_operations=False,
        ),
    )
