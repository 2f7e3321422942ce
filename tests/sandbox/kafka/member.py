"""A group member that does only what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kio.schema.errors import ErrorCode

from tests.sandbox.kafka.raw import RawClient, eventually, types, until

SESSION = 60.0


class Member:
    """A member that does only what it is told, over a connection of its own."""

    def __init__(self, client: RawClient, group: str, instance: str | None) -> None:
        self.client = client
        self.group = group
        self.instance = instance
        self.id = ""
        self.generation = -1
        self.leader = ""
        self.members: tuple[Any, ...] = ()

    def join_request(
        self, session: float = SESSION, protocol: str = "range", version: int = 7
    ) -> Any:
        t = types(11, version)
        return t.JoinGroupRequest(
            group_id=self.group,
            session_timeout=timedelta(seconds=session),
            rebalance_timeout=timedelta(seconds=60),
            member_id=self.id,
            group_instance_id=self.instance,
            protocol_type="consumer",
            protocols=(
                t.JoinGroupRequestProtocol(name=protocol, metadata=b"metadata of " + self.name),
            ),
        )

    @property
    def name(self) -> bytes:
        return (self.instance or "dynamic").encode()

    async def join(self, session: float = SESSION, version: int = 7) -> ErrorCode:
        request = self.join_request(session, version=version)
        self.client.send(request)
        return await self.joined(request)

    async def joined(self, request: Any) -> ErrorCode:
        answer = await self.client.answer_to(request)
        self.id = answer.member_id or self.id
        self.generation, self.leader = answer.generation_id, answer.leader
        self.members = answer.members
        return ErrorCode(answer.error_code)

    async def enter(self, session: float = SESSION) -> None:
        """Join to the end: a dynamic member first gets its id."""
        if self.instance is None and not self.id:
            # A fresh Apache Kafka first has to load its coordinator.
            answer = await until(
                self.client,
                self.join_request(session),
                lambda answer: answer.error_code is ErrorCode.member_id_required,
            )
            self.id = answer.member_id
        assert await self.join(session) is ErrorCode.none

    def sync_request(self, assignments: Mapping[str, bytes] | None = None) -> Any:
        t = types(14, 5)
        return t.SyncGroupRequest(
            group_id=self.group,
            generation_id=self.generation,
            member_id=self.id,
            group_instance_id=self.instance,
            protocol_type="consumer",
            protocol_name="range",
            assignments=tuple(
                t.SyncGroupRequestAssignment(member_id=member, assignment=assignment)
                for member, assignment in (assignments or {}).items()
            ),
        )

    async def sync(self, assignments: Mapping[str, bytes] | None = None) -> tuple[ErrorCode, bytes]:
        answer = await self.client.ask(self.sync_request(assignments))
        return ErrorCode(answer.error_code), answer.assignment

    async def heartbeat(self, **changed: Any) -> ErrorCode:
        fields: dict[str, Any] = {
            "group_id": self.group,
            "generation_id": self.generation,
            "member_id": self.id,
            "group_instance_id": self.instance,
        }
        answer = await self.client.ask(types(12, 4).HeartbeatRequest(**(fields | changed)))
        return ErrorCode(answer.error_code)

    async def leave(self, *others: tuple[str, str | None]) -> list[ErrorCode]:
        t = types(13, 5)
        leaving = [(self.id, self.instance), *others]
        answer = await self.client.ask(
            t.LeaveGroupRequest(
                group_id=self.group,
                members=tuple(
                    t.MemberIdentity(member_id=member, group_instance_id=instance)
                    for member, instance in leaving
                ),
            )
        )
        assert answer.error_code is ErrorCode.none
        return [ErrorCode(member.error_code) for member in answer.members]

    async def commit(self, topic: str, offset: int, **changed: Any) -> ErrorCode:
        t = types(8, 9)
        part = t.OffsetCommitRequestPartition(
            partition_index=0, committed_offset=offset, committed_metadata="note"
        )
        fields: dict[str, Any] = {
            "group_id": self.group,
            "generation_id_or_member_epoch": self.generation,
            "member_id": self.id,
            "group_instance_id": self.instance,
            "topics": (t.OffsetCommitRequestTopic(name=topic, partitions=(part,)),),
        }
        answer = await self.client.ask(t.OffsetCommitRequest(**(fields | changed)))
        return ErrorCode(answer.topics[0].partitions[0].error_code)

    async def committed(self, topic: str) -> tuple[int, str | None]:
        t = types(9, 7)
        asked = t.OffsetFetchRequestTopic(name=topic, partition_indexes=(0,))
        answer = await self.client.ask(
            t.OffsetFetchRequest(group_id=self.group, topics=(asked,), require_stable=False)
        )
        part = answer.topics[0].partitions[0]
        return part.committed_offset, part.metadata

    async def state(self) -> str:
        answer = await self.client.ask(
            types(15, 5).DescribeGroupsRequest(
                groups=(self.group,), include_authorized_operations=False
            )
        )
        return str(answer.groups[0].group_state)


async def stable(leader: Member, *followers: Member) -> None:
    """Bring members through joining and syncing; each is assigned its own name."""
    await leader.enter()
    for follower in followers:
        await join_beside(leader, follower)
    assignments = {one.id: one.name for one in (leader, *followers)}
    assert await leader.sync(assignments) == (ErrorCode.none, leader.name)
    for follower in followers:
        assert await follower.sync() == (ErrorCode.none, follower.name)


async def join_beside(leader: Member, follower: Member, session: float = SESSION) -> None:
    """Bring a second member into the next generation, which waits for its leader."""
    if follower.instance is None:
        assert await follower.join(session) is ErrorCode.member_id_required
    joining = follower.join_request(session)
    follower.client.send(joining)
    await until_rebalancing(leader)
    assert await leader.join() is ErrorCode.none
    assert await follower.joined(joining) is ErrorCode.none


async def until_rebalancing(member: Member) -> None:
    async def rebalancing() -> bool:
        return await member.heartbeat() is ErrorCode.rebalance_in_progress

    await eventually(rebalancing)
