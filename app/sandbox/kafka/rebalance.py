"""Generations of a classic consumer group: how members gather, get one assignment, and go.

The part of the state machine that is moved by time and by who is there; `groups.Group` adds what
members ask for. Like that, it does no I/O and reads no clock.
"""

from __future__ import annotations

from collections import Counter

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.members import GroupState, Joined, Member, Sync, Synced


class Generations:
    """Members, leader, generation and assignment of one group.

    `initial_delay` is how long (s) the rebalance of an empty group waits for more members.
    """

    def __init__(self, group_id: str, initial_delay: float = 0.0) -> None:
        self.group_id = group_id
        self.state = GroupState.EMPTY
        self.generation = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader: str | None = None
        self.members: dict[str, Member] = {}
        self.pending: dict[str, float] = {}
        """Ids given out with member_id_required and not yet used, with the time they lapse."""
        self.initial_delay = initial_delay
        self.statics: dict[str, str] = {}
        """Member id by group instance id."""
        self._rebalance_deadline: float | None = None
        self._initial_until: float | None = None
        self._sync_deadline: float | None = None

    def next_deadline(self) -> float | None:
        """When `expire` has something to do next, None for never."""
        due = [member.deadline for member in self.members.values() if member.may_expire]
        due += self.pending.values()
        for deadline in (self._rebalance_deadline, self._initial_until, self._sync_deadline):
            if deadline is not None:
                due.append(deadline)
        return min(due, default=None)

    def expire(self, now: float) -> None:
        """End the sessions, joins and syncs that are overdue at `now`."""
        self.pending = {name: until for name, until in self.pending.items() if until > now}
        for member in list(self.members.values()):
            if member.may_expire and member.deadline <= now:
                self.remove(member, now)
        if self._sync_deadline is not None and self._sync_deadline <= now:
            self._sync_deadline = None
            for member in [m for m in self.members.values() if m.sync_pending]:
                self.remove(member, now)
        if self._initial_until is not None and self._initial_until <= now:
            self._initial_until = None
        if self._rebalance_deadline is not None and self._rebalance_deadline <= now:
            self._complete_join(now)
        else:
            self.complete_if_all_joined(now)

    def renew(self, now: float) -> None:
        """Begin the sessions anew that would end at `now`: nobody could be heard meanwhile."""
        for member in self.members.values():
            if member.deadline <= now:
                member.deadline = now + member.session_timeout

    def add(self, member: Member, now: float) -> None:
        """Take in a member that waits for its JoinGroup answer, which starts a rebalance."""
        self.members[member.member_id] = member
        self.leader = self.leader or member.member_id
        if member.instance_id is not None:
            self.statics[member.instance_id] = member.member_id
        if self._initial_until is not None:
            self._initial_until = now + self.initial_delay
        self.rebalance(now)

    def remove(self, member: Member, now: float) -> None:
        """Drop a member, which starts a rebalance or lets one that waited for it go on."""
        self._forget(member)
        member.refuse_waiting(ErrorCode.unknown_member_id)
        if self.state is GroupState.PREPARING:
            self.complete_if_all_joined(now)
        else:
            self.rebalance(now)

    def rename(self, member: Member, member_id: str) -> None:
        """Give a static member that came back its new id, in its old place."""
        former = member.member_id
        self.members = {
            (member_id if name == former else name): m for name, m in self.members.items()
        }
        member.member_id = member_id
        if member.instance_id is not None:
            self.statics[member.instance_id] = member_id
        if self.leader == former:
            self.leader = member_id

    def rebalance(self, now: float) -> None:
        """Start the next generation: all members have to join again, or the one that is already
        being prepared goes on as soon as all have."""
        if self.state is not GroupState.PREPARING:
            if self.state is GroupState.EMPTY and self.initial_delay > 0:
                self._initial_until = now + self.initial_delay
            for member in self.members.values():
                member.sync_pending = False
                if self.state is GroupState.COMPLETING:
                    member.assignment = b""
                    member.answer_sync(Synced(error=ErrorCode.rebalance_in_progress))
            self.state = GroupState.PREPARING
            self._sync_deadline = None
            self._rebalance_deadline = now + self._longest_rebalance()
        self.complete_if_all_joined(now)

    def complete_if_all_joined(self, now: float) -> None:
        """End the gathering when nobody is missing."""
        all_joined = all(member.join_reply is not None for member in self.members.values())
        waiting = self.pending or self._initial_until is not None
        if self.state is GroupState.PREPARING and all_joined and not waiting:
            self._complete_join(now)

    def spread(self, sync: Sync, now: float) -> None:
        """Give every member its part of the leader's assignment."""
        self.state = GroupState.STABLE
        for member in self.members.values():
            member.assignment = sync.assignments.get(member.member_id, b"")
            if member.sync_reply is not None:
                member.deadline = now + member.session_timeout
                member.answer_sync(self.synced(member))

    def synced(self, member: Member) -> Synced:
        """The SyncGroup answer of a stable group."""
        return Synced(
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            assignment=member.assignment,
        )

    def joined(self, member: Member) -> Joined:
        """The JoinGroup answer of this generation; the leader's lists the members."""
        members: tuple[tuple[str, str | None, bytes], ...] = ()
        if member.member_id == self.leader:
            name = self.protocol_name or ""
            members = tuple(
                (m.member_id, m.instance_id, m.protocols.get(name, b""))
                for m in self.members.values()
            )
        return Joined(
            generation=self.generation,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol_name,
            leader=self.leader or "",
            member_id=member.member_id,
            members=members,
        )

    def select_protocol(self) -> str | None:
        """The assignor that all members know and most prefer, None without members."""
        if not self.members:
            return None
        shared = set.intersection(*(set(m.protocols) for m in self.members.values()))
        votes = Counter(
            next(name for name in member.protocols if name in shared)
            for member in self.members.values()
        )
        return votes.most_common(1)[0][0]

    def _complete_join(self, now: float) -> None:
        self._rebalance_deadline = self._initial_until = None
        for member in list(self.members.values()):
            if member.join_reply is None and member.instance_id is None:
                self._forget(member)
        if not self._elect_joined_leader():
            self._rebalance_deadline = now + self._longest_rebalance()
            return
        self.generation += 1
        self.protocol_name = self.select_protocol()
        self.state = GroupState.COMPLETING if self.members else GroupState.EMPTY
        if not self.members:
            return
        self._sync_deadline = now + self._longest_rebalance()
        for member in self.members.values():
            member.deadline = now + member.session_timeout
            member.is_new = False
            member.sync_pending = True
            member.answer_join(self.joined(member))

    def _elect_joined_leader(self) -> bool:
        """Make sure that the leader is somebody who waits for an answer; False when all that are
        left are static members that have not come back, so there is nobody to lead."""
        joined = [name for name, m in self.members.items() if m.join_reply is not None]
        if joined and self.leader not in joined:
            self.leader = joined[0]
        return bool(joined) or not self.members

    def _forget(self, member: Member) -> None:
        self.members.pop(member.member_id, None)
        if member.instance_id is not None:
            self.statics.pop(member.instance_id, None)
        if self.leader == member.member_id:
            self.leader = next(iter(self.members), None)

    def _longest_rebalance(self) -> float:
        return max((m.rebalance_timeout for m in self.members.values()), default=0.0)
