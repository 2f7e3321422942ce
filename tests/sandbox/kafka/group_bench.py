"""A group under a clock that stands until it is moved."""

from __future__ import annotations

import itertools
from typing import Any

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.groups import Group
from app.sandbox.kafka.members import GroupState, Join, Joined, Sync, Synced

SESSION = 10.0
REBALANCE = 30.0


class Bench:
    """A group with a clock that stands until it is moved, and the answers it gave."""

    def __init__(self, initial_delay: float = 0.0) -> None:
        numbers = itertools.count(1)
        self.group = Group("g", initial_delay, lambda prefix: f"{prefix}-{next(numbers)}")
        self.now = 1000.0

    def join(
        self, member_id: str = "", instance: str | None = None, **changed: Any
    ) -> list[Joined]:
        answers: list[Joined] = []
        fields: dict[str, Any] = {
            "member_id": member_id,
            "instance_id": instance,
            "client_id": "c",
            "session_timeout": SESSION,
            "rebalance_timeout": REBALANCE,
            "protocol_type": "consumer",
            "protocols": {"range": b"m"},
        }
        self.group.join(Join(**(fields | changed)), answers.append, self.now)
        return answers

    def enter(self, **changed: Any) -> tuple[str, list[Joined]]:
        """Join as a new dynamic member; its id, and its answers so far."""
        (refused,) = self.join(**changed)
        assert refused.error is ErrorCode.member_id_required
        return refused.member_id, self.join(refused.member_id, **changed)

    def sync(self, member_id: str, assignments: dict[str, bytes] | None = None) -> list[Synced]:
        answers: list[Synced] = []
        request = Sync(
            member_id=member_id, generation=self.group.generation, assignments=assignments or {}
        )
        self.group.sync(request, answers.append, self.now)
        return answers

    def beat(self, member_id: str) -> ErrorCode:
        return self.group.heartbeat(member_id, self.group.generation, None, self.now)

    def state(self) -> GroupState:
        return self.group.state

    def pass_time(self, seconds: float) -> None:
        """Move the clock, doing what becomes due at the moment it is due, as the timer does."""
        end = self.now + seconds
        while (due := self.group.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.group.expire(self.now)
        self.now = end

    def stable_pair(self) -> tuple[str, str]:
        """Two members with their assignments."""
        first, _ = self.enter()
        second, joined = self.enter()
        assert joined == []
        self.join(first)
        leader_sync = self.sync(first, {first: b"1", second: b"2"})
        assert leader_sync[0].assignment == b"1"
        assert self.sync(second)[0].assignment == b"2"
        assert self.state() is GroupState.STABLE
        return first, second
