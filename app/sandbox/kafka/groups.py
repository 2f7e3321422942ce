"""The state machine of one classic consumer group: what members may ask, and when.

It follows Apache Kafka's group coordinator (classic protocol with static membership, KIP-345, and
required member ids, KIP-394). It does no I/O and reads no clock: each call is given the time in
seconds, an answer that has to wait is given through the `reply` that came with the request, and
`expire` does what has become due by `next_deadline`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.members import (
    NO_MEMBER,
    GroupState,
    Join,
    Joined,
    JoinReply,
    Member,
    Sync,
    Synced,
    SyncReply,
)
from app.sandbox.kafka.rebalance import Generations
from app.sandbox.kafka.subscriptions import CONSUMER_PROTOCOL_TYPE, subscribed_topics

_NEW_MEMBER_PATIENCE = 300.0
"""Seconds that a new member may wait for its first generation (Kafka: NewMemberJoinTimeoutMs)."""


def _random_member_id(prefix: str) -> str:
    return f"{prefix}-{uuid4()}"


class Group(Generations):
    """One group. `new_member_id` makes an id from a client or instance id."""

    def __init__(
        self,
        group_id: str,
        initial_delay: float = 0.0,
        new_member_id: Callable[[str], str] = _random_member_id,
    ) -> None:
        super().__init__(group_id, initial_delay)
        self._new_member_id = new_member_id

    def join(self, join: Join, reply: JoinReply, now: float) -> None:
        """Enter the group, or join its next generation."""
        error = self._join_error(join)
        if error is not ErrorCode.none:
            reply(Joined(error=error, member_id=join.member_id))
        elif join.member_id == NO_MEMBER:
            self._join_as_new(join, reply, now)
        elif self.pending.pop(join.member_id, None) is not None:
            self._add_member(join.member_id, join, reply, now)
        else:
            self._rejoin(self.members[join.member_id], join, reply, now)

    def sync(self, sync: Sync, reply: SyncReply, now: float) -> None:
        """Fetch the assignment of this generation; the leader brings it."""
        error = self._sync_error(sync)
        if error is not ErrorCode.none:
            reply(Synced(error=error))
            return
        member = self.members[sync.member_id]
        member.sync_pending = False
        member.deadline = now + member.session_timeout
        if self.state is GroupState.STABLE:
            reply(self.synced(member))
            return
        member.answer_sync(Synced(error=ErrorCode.rebalance_in_progress))
        member.sync_reply = reply
        if sync.member_id == self.leader:
            self.spread(sync, now)

    def heartbeat(
        self, member_id: str, generation: int, instance_id: str | None, now: float
    ) -> ErrorCode:
        """Stay a member. rebalance_in_progress asks the member to join again."""
        error = self._member_error(member_id, instance_id)
        if error is not ErrorCode.none:
            return error
        if generation != self.generation:
            return ErrorCode.illegal_generation
        self._keep_alive(member_id, now)
        preparing = self.state is GroupState.PREPARING
        return ErrorCode.rebalance_in_progress if preparing else ErrorCode.none

    def leave(self, member_id: str, instance_id: str | None, now: float) -> ErrorCode:
        """End a membership; an administrator may name the instance alone."""
        if member_id == NO_MEMBER:
            member_id = self.statics.get(instance_id or "", NO_MEMBER)
        if self.pending.pop(member_id, None) is not None:
            self.complete_if_all_joined(now)
            return ErrorCode.none
        error = self._member_error(member_id, instance_id)
        if error is ErrorCode.none:
            self.remove(self.members[member_id], now)
        return error

    def commit_error(
        self, member_id: str, generation: int, instance_id: str | None, now: float
    ) -> ErrorCode:
        """Whether offsets may be committed: by a member of this generation, or by anybody without
        member id and generation while the group is empty. `none` means yes."""
        if generation < 0 and self.state is GroupState.EMPTY:
            return ErrorCode.none
        error = self._member_error(member_id, instance_id)
        if error is not ErrorCode.none:
            return error
        if generation != self.generation:
            return ErrorCode.illegal_generation
        if self.state is GroupState.COMPLETING:
            return ErrorCode.rebalance_in_progress
        self._keep_alive(member_id, now)
        return ErrorCode.none

    def expire_member(self, member_id: str, now: float) -> bool:
        """Treat the member's session as over; False when there is no such member."""
        member = self.members.get(member_id)
        if member is not None:
            self.remove(member, now)
        return member is not None

    def subscribed_topics(self) -> set[str]:
        """The topics that members name in their metadata, where they are consumers."""
        if self.protocol_type != CONSUMER_PROTOCOL_TYPE:
            return set()
        return {
            topic
            for member in self.members.values()
            for metadata in member.protocols.values()
            for topic in subscribed_topics(metadata)
        }

    def _join_error(self, join: Join) -> ErrorCode:
        if not self._speaks(join):
            return ErrorCode.inconsistent_group_protocol
        if join.member_id == NO_MEMBER or join.member_id in self.pending:
            return ErrorCode.none
        return self._member_error(join.member_id, join.instance_id)

    def _speaks(self, join: Join) -> bool:
        """Whether whoever joins shares an assignor with all others."""
        if not join.protocols or not join.protocol_type:
            return False
        own_id = self.statics.get(join.instance_id or "", join.member_id)
        others = [set(m.protocols) for name, m in self.members.items() if name != own_id]
        if not others:
            return True
        return join.protocol_type == self.protocol_type and bool(
            set.intersection(*others, set(join.protocols))
        )

    def _member_error(self, member_id: str, instance_id: str | None) -> ErrorCode:
        if instance_id is not None:
            owner = self.statics.get(instance_id)
            if owner is None:
                return ErrorCode.unknown_member_id
            if owner != member_id:
                return ErrorCode.fenced_instance_id
        known = member_id in self.members
        return ErrorCode.none if known else ErrorCode.unknown_member_id

    def _sync_error(self, sync: Sync) -> ErrorCode:
        error = self._member_error(sync.member_id, sync.instance_id)
        if error is not ErrorCode.none:
            return error
        if sync.generation != self.generation:
            return ErrorCode.illegal_generation
        other_type = sync.protocol_type not in (None, self.protocol_type)
        if other_type or sync.protocol_name not in (None, self.protocol_name):
            return ErrorCode.inconsistent_group_protocol
        preparing = self.state is GroupState.PREPARING
        return ErrorCode.rebalance_in_progress if preparing else ErrorCode.none

    def _keep_alive(self, member_id: str, now: float) -> None:
        member = self.members[member_id]
        member.deadline = now + member.session_timeout

    def _join_as_new(self, join: Join, reply: JoinReply, now: float) -> None:
        member_id = self._new_member_id(join.instance_id or join.client_id)
        owner = self.statics.get(join.instance_id or "")
        if owner is not None:
            self._return_of_static(self.members[owner], member_id, join, reply, now)
        elif join.instance_id is None and join.id_required:
            self.pending[member_id] = now + join.session_timeout
            reply(Joined(error=ErrorCode.member_id_required, member_id=member_id))
        else:
            self._add_member(member_id, join, reply, now)

    def _add_member(self, member_id: str, join: Join, reply: JoinReply, now: float) -> None:
        if not self.members:
            self.protocol_type = join.protocol_type
        member = Member(
            member_id=member_id,
            instance_id=join.instance_id,
            client_id=join.client_id,
            client_host=join.client_host,
            session_timeout=join.session_timeout,
            rebalance_timeout=join.rebalance_timeout,
            protocols=dict(join.protocols),
            deadline=now + _NEW_MEMBER_PATIENCE,
            join_reply=reply,
        )
        self.add(member, now)

    def _rejoin(self, member: Member, join: Join, reply: JoinReply, now: float) -> None:
        """A member of this generation asks again: because an answer was lost, which is repeated,
        or because something changed, which makes a new generation."""
        unchanged = list(member.protocols.items()) == list(join.protocols.items())
        follows = self.state is GroupState.STABLE and member.member_id != self.leader
        if unchanged and (follows or self.state is GroupState.COMPLETING):
            member.deadline = now + member.session_timeout
            reply(self.joined(member))
            return
        _take_over(member, join)
        member.answer_join(Joined(error=ErrorCode.rebalance_in_progress))
        member.join_reply = reply
        self.rebalance(now)

    def _return_of_static(
        self, member: Member, member_id: str, join: Join, reply: JoinReply, now: float
    ) -> None:
        """A static member is back under a new id; in a stable group it goes on where it was.

        Requests before version 9 cannot say "skip the assignment": they are answered the old
        leader's id, so that nobody computes an assignment which a stable group would not spread.
        """
        former_leader = self.leader
        member.refuse_waiting(ErrorCode.fenced_instance_id)
        self.rename(member, member_id)
        _take_over(member, join)
        member.deadline = now + member.session_timeout
        if self.state is GroupState.STABLE and self.select_protocol() == self.protocol_name:
            joined = self.joined(member)
            if join.can_skip_assignment:
                reply(replace(joined, skip_assignment=member_id == self.leader))
            else:
                reply(replace(joined, leader=former_leader or "", members=()))
            return
        member.join_reply = reply
        self.rebalance(now)


def _take_over(member: Member, join: Join) -> None:
    member.protocols = dict(join.protocols)
    member.session_timeout = join.session_timeout
    member.rebalance_timeout = join.rebalance_timeout
    member.client_id, member.client_host = join.client_id, join.client_host
