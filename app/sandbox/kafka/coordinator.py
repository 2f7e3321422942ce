"""The group coordinator: all groups, their timers on the running loop, and their offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.groups import Group
from app.sandbox.kafka.members import GroupState, Join, Joined, Sync, Synced
from app.sandbox.kafka.offsets import CommittedOffsets
from app.sandbox.kafka.settings import BrokerSettings

_LATE = 0.2
"""Seconds after which a timer is so late that the loop must have been held up."""

Answer = TypeVar("Answer", Joined, Synced)


class GroupCoordinator:
    """Groups by id. A group exists from the first join or commit until it is deleted; after a
    restart of the broker groups are empty and members have to join again, offsets are kept."""

    def __init__(self, settings: BrokerSettings, offsets: CommittedOffsets) -> None:
        self._settings = settings
        self._groups: dict[str, Group] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._not_before = 0.0
        """Nothing ends earlier: the loop was held up, and has to read what came meanwhile."""
        self.offsets = offsets
        for group_id in offsets.groups():
            self._groups[group_id] = self._new_group(group_id)

    def find(self, group_id: str) -> Group | None:
        """The group, None when there is none of that id."""
        return self._groups.get(group_id)

    def all(self) -> list[Group]:
        """Every group."""
        return list(self._groups.values())

    async def join(self, group_id: str, join: Join) -> Joined:
        """JoinGroup: answered when the generation is complete."""
        low, high = self._settings.min_session_timeout, self._settings.max_session_timeout
        if not group_id:
            return Joined(error=ErrorCode.invalid_group_id, member_id=join.member_id)
        if not low <= join.session_timeout <= high:
            return Joined(error=ErrorCode.invalid_session_timeout, member_id=join.member_id)
        group = self.find(group_id)
        if group is None:
            if join.member_id:
                return Joined(error=ErrorCode.unknown_member_id, member_id=join.member_id)
            group = self._groups[group_id] = self._new_group(group_id)
        answer: asyncio.Future[Joined] = asyncio.get_running_loop().create_future()
        group.join(join, _setter(answer), self._now())
        self._arm(group)
        return await answer

    async def sync(self, group_id: str, sync: Sync) -> Synced:
        """SyncGroup: answered when the leader has brought the assignment."""
        if not group_id:
            return Synced(error=ErrorCode.invalid_group_id)
        group = self.find(group_id)
        if group is None:
            return Synced(error=ErrorCode.unknown_member_id)
        answer: asyncio.Future[Synced] = asyncio.get_running_loop().create_future()
        group.sync(sync, _setter(answer), self._now())
        self._arm(group)
        return await answer

    def heartbeat(
        self, group_id: str, member_id: str, generation: int, instance_id: str | None
    ) -> ErrorCode:
        """Heartbeat."""
        if not group_id:
            return ErrorCode.invalid_group_id
        group = self.find(group_id)
        if group is None:
            return ErrorCode.unknown_member_id
        error = group.heartbeat(member_id, generation, instance_id, self._now())
        self._arm(group)
        return error

    def leave(self, group_id: str, member_id: str, instance_id: str | None) -> ErrorCode:
        """LeaveGroup for one member."""
        group = self.find(group_id)
        if group is None:
            return ErrorCode.unknown_member_id
        error = group.leave(member_id, instance_id, self._now())
        self._arm(group)
        return error

    def commit_error(
        self, group_id: str, member_id: str, generation: int, instance_id: str | None
    ) -> ErrorCode:
        """Whether this commit is fenced off; creates the group for a consumer without members.
        group_id_not_found is for a member of a group that does not exist. Only here may a group
        have the empty name."""
        group = self.find(group_id)
        if group is None:
            if generation >= 0:
                return ErrorCode.group_id_not_found
            group = self._groups[group_id] = self._new_group(group_id)
        error = group.commit_error(member_id, generation, instance_id, self._now())
        self._arm(group)
        return error

    def transactional_commit_error(
        self, group_id: str, member_id: str, generation: int, instance_id: str | None
    ) -> ErrorCode:
        """Whether a commit within a transaction is fenced off: one that names no member and no
        generation is never."""
        anonymous = generation < 0 and not member_id and instance_id is None
        if not group_id:
            return ErrorCode.invalid_group_id
        group = self.find(group_id)
        if group is None:
            if not anonymous:
                return ErrorCode.illegal_generation
            group = self._groups[group_id] = self._new_group(group_id)
        if anonymous:
            return ErrorCode.none
        error = group.commit_error(member_id, generation, instance_id, self._now())
        self._arm(group)
        return error

    def delete_offset_error(self, group_id: str) -> ErrorCode:
        """Whether offsets of this group cannot be deleted at all."""
        if not group_id:
            return ErrorCode.invalid_group_id
        group = self.find(group_id)
        if group is None:
            return ErrorCode.group_id_not_found
        is_consumer = group.protocol_type in (None, "", "consumer")
        return ErrorCode.none if is_consumer or not group.members else ErrorCode.non_empty_group

    def subscribed_topics(self, group_id: str) -> set[str]:
        """The topics that the members of a group of consumers subscribe to."""
        group = self.find(group_id)
        return set() if group is None else group.subscribed_topics()

    def delete(self, group_id: str) -> ErrorCode:
        """DeleteGroups for one group, which must be empty; its offsets go with it."""
        group = self.find(group_id)
        if group is None:
            return ErrorCode.group_id_not_found
        if group.state is not GroupState.EMPTY:
            return ErrorCode.non_empty_group
        del self._groups[group_id]
        self._disarm(group_id)
        self.offsets.forget_group(group_id)
        return ErrorCode.none

    def expire_member(self, group_id: str, member_id: str) -> None:
        """End a member's session now, as if it had been silent for its session timeout.

        Raises KeyError when there is no such group or member.
        """
        group = self.find(group_id)
        if group is None or not group.expire_member(member_id, self._now()):
            known = [] if group is None else sorted(group.members)
            raise KeyError(f"no member {member_id!r} in group {group_id!r}; members are {known}")
        self._arm(group)

    def close(self) -> None:
        """Stop all timers."""
        for group_id in list(self._timers):
            self._disarm(group_id)

    def _new_group(self, group_id: str) -> Group:
        return Group(group_id, self._settings.initial_rebalance_delay)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _arm(self, group: Group) -> None:
        self._disarm(group.group_id)
        deadline = group.next_deadline()
        if deadline is not None:
            due, loop = max(deadline, self._not_before), asyncio.get_running_loop()
            self._timers[group.group_id] = loop.call_at(due, self._expire, group, due)

    def _disarm(self, group_id: str) -> None:
        timer = self._timers.pop(group_id, None)
        if timer is not None:
            timer.cancel()

    def _expire(self, group: Group, due: float) -> None:
        now = self._now()
        if now - due > _LATE:
            # This loop was held up: what came in time may lie unread, so read first. Members on
            # this machine may have stood still too, and send their heartbeats only now.
            group.renew(now)
            self._not_before = now + _LATE / 2
            self._arm(group)
            return
        # The loop may fire a timer early by its clock's resolution: what it was armed for is due.
        group.expire(max(now, due))
        self._arm(group)


def _setter(answer: asyncio.Future[Answer]) -> Callable[[Answer], None]:
    def reply(value: Answer) -> None:
        if not answer.done():
            answer.set_result(value)

    return reply
