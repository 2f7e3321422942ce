"""The laws of the group state machine under any history."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.sandbox.kafka.groups import Group
from app.sandbox.kafka.members import GroupState
from tests.sandbox.kafka.group_bench import REBALANCE, SESSION, Bench


class GroupHistories(RuleBasedStateMachine):
    """Members that join, sync, beat, fall silent, leave and come back, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.waiting: list[tuple[str, list[Any]]] = []
        self.generation = 0

    @property
    def group(self) -> Group:
        return self.bench.group

    def known(self, number: int) -> str:
        members = list(self.group.members)
        return members[number % len(members)] if members else "nobody"

    @rule()
    def newcomer(self) -> None:
        (refused,) = self.bench.join()
        self.waiting.append((refused.member_id, self.bench.join(refused.member_id)))

    @rule()
    def asks_for_an_id_only(self) -> None:
        self.bench.join()

    @rule(instance=st.sampled_from(["a", "b"]))
    def static_comes(self, instance: str) -> None:
        answers = self.bench.join(instance=instance)
        self.waiting.append((self.group.statics[instance], answers))

    @rule(number=st.integers(0, 5))
    def rejoins(self, number: int) -> None:
        member_id = self.known(number)
        member = self.group.members.get(member_id)
        instance = member.instance_id if member else None
        self.waiting.append((member_id, self.bench.join(member_id, instance)))

    @rule(number=st.integers(0, 5))
    def syncs(self, number: int) -> None:
        member_id = self.known(number)
        parts = {name: name.encode() for name in self.group.members}
        self.waiting.append((member_id, self.bench.sync(member_id, parts)))

    @rule(number=st.integers(0, 5))
    def beats(self, number: int) -> None:
        self.bench.beat(self.known(number))

    @rule(number=st.integers(0, 5))
    def leaves(self, number: int) -> None:
        self.group.leave(self.known(number), None, self.bench.now)

    @rule(seconds=st.floats(0.1, 60))
    def time_passes(self, seconds: float) -> None:
        self.bench.pass_time(seconds)

    @invariant()
    def answers_come_once(self) -> None:
        assert all(len(answers) <= 1 for _, answers in self.waiting)

    @invariant()
    def nobody_waits_who_is_no_member(self) -> None:
        for member_id, answers in self.waiting:
            if not answers:
                member = self.group.members[member_id]
                assert member.join_reply is not None or member.sync_reply is not None
        self.waiting = [(name, answers) for name, answers in self.waiting if not answers]

    @invariant()
    def generations_only_grow(self) -> None:
        assert self.group.generation >= self.generation
        self.generation = self.group.generation

    @invariant()
    def the_leader_is_a_member(self) -> None:
        assert (self.group.leader in self.group.members) == bool(self.group.members)

    @invariant()
    def instance_ids_belong_to_members(self) -> None:
        held = {m.instance_id: m.member_id for m in self.group.members.values() if m.instance_id}
        assert self.group.statics == held

    @invariant()
    def a_group_is_empty_exactly_without_members(self) -> None:
        if self.group.state is GroupState.EMPTY:
            assert not self.group.members
        if not self.group.members:
            assert self.group.state in (GroupState.EMPTY, GroupState.PREPARING)

    @invariant()
    def in_a_stable_group_nobody_waits(self) -> None:
        if self.group.state is GroupState.STABLE:
            assert all(answers for _, answers in self.waiting)

    @precondition(lambda self: self.group.state is not GroupState.EMPTY)
    @rule()
    def when_all_fall_silent_the_group_empties(self) -> None:
        self.bench.pass_time(10 * REBALANCE + 300 + SESSION)
        assert not self.group.members
        assert self.group.state is GroupState.EMPTY
        assert self.group.next_deadline() is None


TestGroupHistories = GroupHistories.TestCase
TestGroupHistories.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
