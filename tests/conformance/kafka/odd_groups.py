"""Odd requests around groups, coordinators and committed offsets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from tests.conformance.kafka.observing import Observer, odd
from tests.sandbox.kafka.raw import types, until

SUBSCRIPTION = b"\x00\x01\x00\x00\x00\x01"


def subscription(topic: str) -> bytes:
    """The metadata of a consumer that subscribes to one topic."""
    name = topic.encode()
    return SUBSCRIPTION + len(name).to_bytes(2, "big") + name + b"\xff\xff\xff\xff" + bytes(4)


def join(group: str, member: str = "", version: int = 5, **values: Any) -> Any:
    """A JoinGroup request of a consumer."""
    t = types(11, version)
    protocols = values.pop("protocols", {"range": b""})
    given: dict[str, Any] = {
        "session_timeout": timedelta(seconds=60),
        "rebalance_timeout": timedelta(seconds=60),
        "protocol_type": "consumer",
    }
    return t.JoinGroupRequest(
        group_id=group,
        member_id=member,
        protocols=tuple(
            t.JoinGroupRequestProtocol(name=name, metadata=metadata)
            for name, metadata in protocols.items()
        ),
        **(given | values),
    )


def sync(group: str, member: str, generation: int, **values: Any) -> Any:
    """A SyncGroup request that assigns the member itself."""
    t = types(14, 5)
    given: dict[str, Any] = {"protocol_type": "consumer", "protocol_name": "range"}
    part = t.SyncGroupRequestAssignment(member_id=member, assignment=b"all")
    return t.SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member,
        assignments=(part,),
        **(given | values),
    )


def heartbeat(group: str, member: str, generation: int) -> Any:
    t = types(12, 4)
    return t.HeartbeatRequest(group_id=group, generation_id=generation, member_id=member)


def commit(group: str, topic: str, *, member: str = "", generation: int = -1, **values: Any) -> Any:
    """An OffsetCommit request for one partition."""
    t = types(8, 8)
    given: dict[str, Any] = {
        "partition_index": 0,
        "committed_offset": 3,
        "committed_leader_epoch": -1,
        "committed_metadata": "",
    }
    part = t.OffsetCommitRequestPartition(**(given | values))
    asked = t.OffsetCommitRequestTopic(name=topic, partitions=(part,))
    return t.OffsetCommitRequest(
        group_id=group, generation_id_or_member_epoch=generation, member_id=member, topics=(asked,)
    )


async def enter(o: Observer, group: str, metadata: bytes = b"") -> tuple[str, int]:
    """Become the one member of a group: its id and generation."""
    request = join(group, version=3, protocols={"range": metadata})
    joined = await until(o.raw, request, lambda a: a.error_code is ErrorCode.none)
    synced = await o.raw.ask(sync(group, joined.member_id, joined.generation_id))
    assert synced.error_code is ErrorCode.none, synced
    return str(joined.member_id), int(joined.generation_id)


@odd
async def join_groups_oddly(o: Observer) -> None:
    group = o.name("group")
    await enter(o, group)
    await o.codes("empty group", join(""))
    await o.codes("short session", join(group, session_timeout=timedelta(milliseconds=1)))
    await o.codes("long session", join(group, session_timeout=timedelta(hours=2)))
    await o.codes("unknown member", join(group, "nobody"))
    await o.codes("unknown member of an unknown group", join(o.name("none"), "nobody"))
    await o.codes("no id yet", join(o.name("fresh")))
    await o.codes("no protocols", join(group, protocols={}))
    await o.codes("no protocols in a new group", join(o.name("new"), protocols={}))
    await o.codes("no protocol type", join(o.name("untyped"), protocol_type=""))
    await o.codes("another type", join(group, protocol_type="connect"))
    await o.codes("another assignor", join(group, protocols={"mine": b""}))
    await o.codes("fenced instance", join(group, "nobody", group_instance_id="i"))


@odd
async def sync_and_beat_oddly(o: Observer) -> None:
    group = o.name("group")
    member, generation = await enter(o, group)
    none = o.name("none")
    await o.codes("sync, unknown group", sync(none, "x", 1))
    await o.codes("sync, empty group", sync("", "x", 1))
    await o.codes("sync, unknown member", sync(group, "x", generation))
    await o.codes("sync, old generation", sync(group, member, generation - 1))
    await o.codes("sync, later generation", sync(group, member, generation + 1))
    await o.codes("sync, other type", sync(group, member, generation, protocol_type="x"))
    await o.codes("sync, other assignor", sync(group, member, generation, protocol_name="x"))
    await o.codes("sync, no type", sync(group, member, generation, protocol_type=None))
    await o.codes("sync, no assignor", sync(group, member, generation, protocol_name=None))
    await o.codes("sync again", sync(group, member, generation))
    await o.codes("beat, unknown group", heartbeat(none, "x", 1))
    await o.codes("beat, empty group", heartbeat("", "x", 1))
    await o.codes("beat, unknown member", heartbeat(group, "x", generation))
    await o.codes("beat, no member", heartbeat(group, "", generation))
    await o.codes("beat, old generation", heartbeat(group, member, generation - 1))
    await o.codes("beat", heartbeat(group, member, generation))


@odd
async def leave_groups_oddly(o: Observer) -> None:
    group = o.name("group")
    member, _ = await enter(o, group)
    t = types(13, 4)

    def leaving(name: str, *members: tuple[str, str | None]) -> Any:
        return t.LeaveGroupRequest(
            group_id=name,
            members=tuple(
                t.MemberIdentity(member_id=one, group_instance_id=instance)
                for one, instance in members
            ),
        )

    await o.codes("unknown group", leaving(o.name("none"), ("x", None)))
    await o.codes("empty group", leaving("", ("x", None)))
    await o.codes("unknown member", leaving(group, ("x", None)))
    await o.codes("unknown instance", leaving(group, ("", "i")))
    await o.codes("nobody", leaving(group))
    await o.codes("one known, one not", leaving(group, ("x", None), (member, None)))
    await o.codes("gone", leaving(group, (member, None)))
    single = types(13, 2).LeaveGroupRequest(group_id=group, member_id="x")
    await o.codes("unknown member, version 2", single)


@odd
async def describe_and_delete_groups_oddly(o: Observer) -> None:
    group, empty = o.name("group"), o.name("empty")
    topic = await o.topic("topic")
    await enter(o, group)
    await o.raw.ask(commit(empty, topic))

    async def described(what: str, name: str) -> None:
        answer = await o.raw.ask(
            types(15, 5).DescribeGroupsRequest(groups=(name,), include_authorized_operations=False)
        )
        found = answer.groups[0]
        o.note(
            what,
            [
                found.error_code.name,
                found.group_state,
                found.protocol_type,
                found.protocol_data,
                len(found.members),
            ],
        )

    await described("unknown", o.name("none"))
    await described("no name", "")
    await described("with a member", group)
    await described("of commits alone", empty)
    listed = await o.raw.ask(types(16, 4).ListGroupsRequest(states_filter=("Stable",)))
    o.note("stable", sorted(g.group_id == group for g in listed.groups if g.group_id == group))
    await o.codes("no such state", types(16, 4).ListGroupsRequest(states_filter=("Mad",)))

    def deletion(*names: str) -> Any:
        return types(42, 2).DeleteGroupsRequest(groups_names=names)

    await o.codes("delete an unknown one", deletion(o.name("none")))
    await o.codes("delete no name", deletion(""))
    await o.codes("delete one with a member", deletion(group))
    await o.codes("delete an empty one", deletion(empty))
    await o.codes("delete it again", deletion(empty))


@odd
async def commit_offsets_oddly(o: Observer) -> None:
    group, topic = o.name("group"), await o.topic("topic")
    member, generation = await enter(o, group)
    mine: dict[str, Any] = {"member": member, "generation": generation}
    await o.codes("without a member", commit(o.name("simple"), topic))
    await o.codes("a member of no group", commit(o.name("none"), topic, member="x", generation=1))
    await o.codes("a member without number", commit(o.name("half"), topic, member="x"))
    await o.codes("unknown member", commit(group, topic, member="x", generation=generation))
    await o.codes("nobody in a group with members", commit(group, topic))
    await o.codes("old generation", commit(group, topic, member=member, generation=0))
    await o.codes("unknown topic", commit(group, o.name("none"), **mine))
    await o.codes("unknown partition", commit(group, topic, partition_index=7, **mine))
    await o.codes("negative partition", commit(group, topic, partition_index=-1, **mine))
    await o.codes("negative offset", commit(group, topic, committed_offset=-5, **mine))
    await o.codes("beyond the end", commit(group, topic, committed_offset=10**9, **mine))
    await o.codes("4096 letters", commit(group, topic, committed_metadata="x" * 4096, **mine))
    await o.codes("4097 letters", commit(group, topic, committed_metadata="x" * 4097, **mine))
    await o.codes("null metadata", commit(group, topic, committed_metadata=None, **mine))


@odd
async def fetch_offsets_oddly(o: Observer) -> None:
    group, topic = o.name("group"), await o.topic("topic")
    await o.raw.ask(commit(group, topic, committed_metadata="note"))
    for version in (7, 8, 9):

        async def ask(what: str, name: str, *asked: str, version: int = version) -> None:
            answer = await o.raw.ask(offset_fetch(version, name, asked))
            part = answer.groups[0] if version > 7 else answer
            found = [
                [p.error_code.name, p.committed_offset, p.metadata]
                for one in part.topics
                for p in one.partitions
            ]
            o.note(f"version {version}: {what}", [part.error_code.name, *found])

        await ask("known", group, topic)
        await ask("all", group)
        await ask("unknown group", o.name("none"), topic)
        await ask("unknown group, all", o.name("none"))
        await ask("empty group", "", topic)
        await ask("unknown topic", group, o.name("none"))


def offset_fetch(version: int, group: str, topics: tuple[str, ...]) -> Any:
    """An OffsetFetch request for partition 0 of topics, for all when none are named."""
    t = types(9, version)
    if version < 8:
        wanted = tuple(
            t.OffsetFetchRequestTopic(name=name, partition_indexes=(0,)) for name in topics
        )
        return t.OffsetFetchRequest(group_id=group, topics=wanted or None)
    wanted = tuple(t.OffsetFetchRequestTopics(name=name, partition_indexes=(0,)) for name in topics)
    asked = t.OffsetFetchRequestGroup(group_id=group, topics=wanted or None)
    return t.OffsetFetchRequest(groups=(asked,))


@odd
async def delete_offsets_oddly(o: Observer) -> None:
    group, topic, other = o.name("group"), await o.topic("topic"), await o.topic("other")
    await o.raw.ask(commit(group, topic))
    await enter(o, group, subscription(topic))
    t = types(47, 0)

    def deletion(name: str, *topics: str, partition: int = 0) -> Any:
        part = t.OffsetDeleteRequestPartition(partition_index=partition)
        return t.OffsetDeleteRequest(
            group_id=name,
            topics=tuple(
                t.OffsetDeleteRequestTopic(name=one, partitions=(part,)) for one in topics
            ),
        )

    await o.codes("unknown group", deletion(o.name("none"), topic))
    await o.codes("empty group", deletion("", topic))
    await o.codes("subscribed", deletion(group, topic))
    await o.codes("not subscribed", deletion(group, other))
    await o.codes("unknown topic", deletion(group, o.name("none")))
    await o.codes("unknown partition", deletion(group, other, partition=9))


@odd
async def look_for_odd_coordinators(o: Observer) -> None:
    for version in (2, 4):
        t = types(10, version)
        for kind in (0, 1, 9):
            for key in ("name", ""):
                what = f"version {version}, kind {kind}, key {key!r}"
                if version < 4:
                    await o.codes(what, t.FindCoordinatorRequest(key=key, key_type=kind))
                else:
                    await o.codes(
                        what, t.FindCoordinatorRequest(key_type=kind, coordinator_keys=(key,))
                    )
