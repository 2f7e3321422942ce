"""What a broker answers to the requests of group members; Apache Kafka passes these too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from kio.schema.errors import ErrorCode

from tests.sandbox.kafka.conftest import NewTopicName
from tests.sandbox.kafka.member import Member, join_beside, stable, until_rebalancing
from tests.sandbox.kafka.raw import eventually, raw_client, types, until

pytestmark = pytest.mark.broker

NewMember = Callable[..., Any]


@pytest.fixture
async def member(kafka_address: str, unique_name: Callable[[str], str]) -> AsyncIterator[NewMember]:
    """Makes members of one group, each with its own connection: ``await member("instance-1")``."""
    async with AsyncExitStack() as stack:

        async def new(instance: str | None = None) -> Member:
            client = await stack.enter_async_context(raw_client(kafka_address))
            return Member(client, unique_name("group"), instance)

        yield new


async def test_a_new_member_is_first_given_an_id(member: NewMember) -> None:
    first = await member()
    await first.enter()

    assert first.id
    assert first.generation == 1
    assert first.leader == first.id
    assert [m.member_id for m in first.members] == [first.id]
    assert first.members[0].metadata == b"metadata of dynamic"


async def test_only_the_leader_is_told_the_members(member: NewMember) -> None:
    leader, follower = await member(), await member()
    await stable(leader, follower)

    assert {m.member_id for m in leader.members} == {leader.id, follower.id}
    assert follower.members == ()
    assert follower.leader == leader.leader == leader.id
    assert follower.generation == leader.generation == 2
    assert await leader.state() == "Stable"


async def test_a_heartbeat_calls_to_a_rebalance(member: NewMember) -> None:
    first, second = await member(), await member()
    await stable(first)
    assert await first.heartbeat() is ErrorCode.none

    assert await second.join() is ErrorCode.member_id_required
    joining = second.join_request()
    second.client.send(joining)
    await until_rebalancing(first)
    assert await first.state() == "PreparingRebalance"
    assert (await first.sync())[0] is ErrorCode.rebalance_in_progress
    assert await first.join() is ErrorCode.none
    assert await second.joined(joining) is ErrorCode.none

    assert first.generation == second.generation == 2
    assert await first.state() == "CompletingRebalance"


async def test_old_generations_and_strangers_are_fenced(member: NewMember) -> None:
    first = await member()
    await stable(first)

    assert await first.heartbeat(generation_id=0) is ErrorCode.illegal_generation
    assert await first.heartbeat(generation_id=9) is ErrorCode.illegal_generation
    assert await first.heartbeat(member_id="stranger") is ErrorCode.unknown_member_id
    assert await first.heartbeat(group_id=first.group + "x") is ErrorCode.unknown_member_id
    first.generation = 9
    assert (await first.sync())[0] is ErrorCode.illegal_generation
    first.id = "stranger"
    assert (await first.sync())[0] is ErrorCode.unknown_member_id
    assert await first.join() is ErrorCode.unknown_member_id


async def test_commits_are_fenced_by_member_and_generation(
    member: NewMember, new_topic: NewTopicName
) -> None:
    topic = await new_topic("source")
    first = await member()
    await stable(first)

    assert await first.committed(topic) == (-1, "")
    assert await first.commit(topic, 5) is ErrorCode.none
    for changed, error in (
        ({"generation_id_or_member_epoch": 0}, ErrorCode.illegal_generation),
        ({"member_id": "stranger"}, ErrorCode.unknown_member_id),
        (
            {"member_id": "", "generation_id_or_member_epoch": -1},
            ErrorCode.unknown_member_id,
        ),
    ):
        assert await first.commit(topic, 9, **changed) is error
    missing = await first.commit(topic + ".none", 9)
    assert missing is ErrorCode.unknown_topic_or_partition
    assert await first.committed(topic) == (5, "note")


async def test_while_a_new_generation_has_no_assignment_nothing_is_committed(
    member: NewMember, new_topic: NewTopicName
) -> None:
    topic = await new_topic("source")
    first = await member()
    await first.enter()

    assert await first.commit(topic, 5) is ErrorCode.rebalance_in_progress


async def test_anybody_may_commit_for_an_empty_group_but_only_without_a_generation(
    member: NewMember, new_topic: NewTopicName
) -> None:
    topic = await new_topic("source")
    one = await member()
    await until_loaded(one, topic)

    assert await one.commit(topic, 7) is ErrorCode.none
    assert await one.committed(topic) == (7, "note")
    one.generation = 3
    one.id = "stranger"
    assert await one.commit(topic, 8) is ErrorCode.unknown_member_id
    one.group += "x"
    assert await one.commit(topic, 8) is ErrorCode.group_id_not_found


async def until_loaded(member: Member, topic: str) -> None:
    """A fresh Apache Kafka first has to load its coordinator."""

    async def committed() -> bool:
        return await member.commit(topic, 7) is ErrorCode.none

    await eventually(committed)


async def test_who_leaves_is_no_longer_a_member(member: NewMember) -> None:
    first, second = await member(), await member()
    await stable(first, second)

    assert await second.leave() == [ErrorCode.none]
    assert await second.heartbeat() is ErrorCode.unknown_member_id
    assert await first.heartbeat() is ErrorCode.rebalance_in_progress
    assert await first.join() is ErrorCode.none
    assert first.generation == 3
    assert [m.member_id for m in first.members] == [first.id]


async def test_several_members_leave_in_one_request(member: NewMember) -> None:
    first, second = await member("one"), await member("two")
    await stable(first, second)

    outcome = await first.leave(("", "two"), ("stranger", None), ("", "three"))

    assert outcome == [
        ErrorCode.none,
        ErrorCode.none,
        ErrorCode.unknown_member_id,
        ErrorCode.unknown_member_id,
    ]
    assert await first.state() == "Empty"


async def test_a_silent_member_is_dropped_after_its_session_timeout(member: NewMember) -> None:
    first, silent = await member(), await member()
    await first.enter()
    await join_beside(first, silent, session=0.6)
    # Either finds the silent one gone already where this process stood still for that long.
    await first.sync({first.id: b"all", silent.id: b"some"})
    await silent.sync()

    await until_rebalancing(first)

    assert await first.join() is ErrorCode.none
    assert [m.member_id for m in first.members] == [first.id]
    assert await silent.heartbeat() is ErrorCode.unknown_member_id


async def test_a_static_member_comes_back_to_its_assignment_without_a_rebalance(
    member: NewMember,
) -> None:
    leader, follower = await member("one"), await member("two")
    await stable(leader, follower)

    back = await member("two")
    assert await back.join() is ErrorCode.none

    assert back.id != follower.id
    assert back.generation == follower.generation
    assert await back.sync() == (ErrorCode.none, b"two")
    assert await leader.heartbeat() is ErrorCode.none


async def test_a_static_leader_comes_back_without_a_rebalance(member: NewMember) -> None:
    leader, follower = await member("one"), await member("two")
    await stable(leader, follower)

    back = await member("one")
    assert await back.join() is ErrorCode.none

    assert back.members == ()
    assert back.leader == leader.id != back.id
    assert await back.sync() == (ErrorCode.none, b"one")
    assert await follower.heartbeat() is ErrorCode.none


async def test_a_static_leader_that_may_skip_the_assignment_is_told_to(member: NewMember) -> None:
    leader, follower = await member("one"), await member("two")
    await stable(leader, follower)

    back = await member("one")
    request = back.join_request(version=9)
    answer = await back.client.ask(request)

    assert answer.skip_assignment
    assert answer.leader == answer.member_id
    assert {m.group_instance_id for m in answer.members} == {"one", "two"}


async def test_the_former_owner_of_an_instance_id_is_fenced(
    member: NewMember, new_topic: NewTopicName
) -> None:
    topic = await new_topic("source")
    former = await member("one")
    await stable(former)
    back = await member("one")
    assert await back.join() is ErrorCode.none

    assert await former.heartbeat() is ErrorCode.fenced_instance_id
    assert await former.commit(topic, 1) is ErrorCode.fenced_instance_id
    assert (await former.sync())[0] is ErrorCode.fenced_instance_id
    assert await former.leave() == [ErrorCode.fenced_instance_id]
    assert await back.heartbeat() is ErrorCode.none


async def test_a_member_without_a_common_assignor_is_refused(member: NewMember) -> None:
    first, other = await member(), await member()
    await stable(first)

    answer = await other.client.ask(other.join_request(protocol="sticky"))

    assert answer.error_code is ErrorCode.inconsistent_group_protocol


async def test_a_session_timeout_out_of_bounds_is_refused(member: NewMember) -> None:
    for session in (0.1, 4000.0):
        one = await member()
        answer = await until(
            one.client,
            one.join_request(session),
            lambda answer: answer.error_code is not ErrorCode.coordinator_load_in_progress,
        )
        assert answer.error_code is ErrorCode.invalid_session_timeout


async def test_a_group_is_deleted_when_it_is_empty(
    member: NewMember, new_topic: NewTopicName
) -> None:
    topic = await new_topic("source")
    one = await member()
    await stable(one)
    assert await one.commit(topic, 3) is ErrorCode.none
    delete = types(42, 2).DeleteGroupsRequest(groups_names=(one.group,))

    async def outcome() -> ErrorCode:
        answer = await one.client.ask(delete)
        return ErrorCode(answer.results[0].error_code)

    assert await outcome() is ErrorCode.non_empty_group
    await one.leave()
    assert await outcome() is ErrorCode.none
    assert await outcome() is ErrorCode.group_id_not_found
    assert await one.committed(topic) == (-1, "")
    assert await one.state() == "Dead"


async def test_a_deleted_topics_offsets_are_forgotten(
    member: NewMember, new_topic: NewTopicName, admin: Any
) -> None:
    topic = await new_topic("doomed")
    one = await member()
    await until_loaded(one, topic)
    await admin.delete_topics([topic])

    async def forgotten() -> bool:
        return bool(await one.committed(topic) == (-1, ""))

    await eventually(forgotten)
