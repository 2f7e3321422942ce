"""What a classic consumer group is made of: members, requests to it and its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from kio.schema.errors import ErrorCode

NO_MEMBER = ""
"""The member id of somebody who is not yet a member."""
NO_GENERATION = -1


class GroupState(Enum):
    """The states of Apache Kafka's classic group protocol, by the names DescribeGroups shows."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A JoinGroup request. Timeouts are seconds; `protocols` maps assignor to metadata in order of
    preference; `id_required` and `can_skip_assignment` say what the request's version allows."""

    member_id: str
    instance_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    session_timeout: float
    rebalance_timeout: float
    protocol_type: str
    protocols: Mapping[str, bytes]
    id_required: bool = True
    can_skip_assignment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The answer to a Join; `members` is filled for the leader only."""

    error: ErrorCode = ErrorCode.none
    generation: int = NO_GENERATION
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = ""
    member_id: str = NO_MEMBER
    skip_assignment: bool = False
    members: tuple[tuple[str, str | None, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A SyncGroup request; the leader's carries `assignments` by member id."""

    member_id: str
    generation: int
    instance_id: str | None = None
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignments: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """The answer to a Sync."""

    error: ErrorCode = ErrorCode.none
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


JoinReply = Callable[[Joined], None]
SyncReply = Callable[[Synced], None]


@dataclass(slots=True)
class Member:
    """One member. `deadline` is the moment its session ends; it is not looked at while the member
    waits for an answer of ours, except that a new one waits no longer than it."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    session_timeout: float
    rebalance_timeout: float
    protocols: Mapping[str, bytes]
    deadline: float
    assignment: bytes = b""
    is_new: bool = True
    join_reply: JoinReply | None = None
    sync_reply: SyncReply | None = None
    sync_pending: bool = False

    @property
    def may_expire(self) -> bool:
        """Whether the deadline counts now."""
        return self.is_new or (self.join_reply is None and self.sync_reply is None)

    def answer_join(self, answer: Joined) -> None:
        """Answer a waiting JoinGroup, if one waits."""
        reply, self.join_reply = self.join_reply, None
        if reply is not None:
            reply(answer)

    def answer_sync(self, answer: Synced) -> None:
        """Answer a waiting SyncGroup, if one waits."""
        reply, self.sync_reply = self.sync_reply, None
        if reply is not None:
            reply(answer)

    def refuse_waiting(self, error: ErrorCode) -> None:
        """Answer whatever waits with an error, as for a member that is no more."""
        self.answer_join(Joined(error=error))
        self.answer_sync(Synced(error=error))
