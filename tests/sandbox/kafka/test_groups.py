"""The group state machine under a clock of the test's own, and its laws under any history."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
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


def test_a_rebalance_waits_no_longer_than_its_timeout_for_dynamic_members() -> None:
    bench = Bench()
    first, second = bench.stable_pair()
    third, joined = bench.enter()
    for _ in range(6):
        bench.pass_time(SESSION / 2 - 0.1)
        assert bench.beat(first) is ErrorCode.rebalance_in_progress
        assert bench.beat(second) is ErrorCode.rebalance_in_progress
    assert joined == []

    bench.pass_time(1)

    assert joined[0].generation == 3
    assert list(bench.group.members) == [third]
    assert joined[0].leader == third


def test_a_static_member_is_kept_through_a_rebalance_it_misses_until_its_session_ends() -> None:
    bench = Bench()
    (away,) = bench.join(instance="away", session_timeout=100.0)
    bench.sync(away.member_id, {away.member_id: b"all"})
    second, joined = bench.enter()
    bench.pass_time(REBALANCE + 1)

    assert joined[0].leader == second
    assert {instance for _, instance, _ in joined[0].members} == {"away", None}
    bench.sync(second, {second: b"2", away.member_id: b"1"})
    while away.member_id in bench.group.members:
        bench.pass_time(1)
        bench.beat(second)
        assert bench.now < 1000 + 200
    assert bench.beat(second) is ErrorCode.rebalance_in_progress


def test_a_member_that_never_fetches_its_assignment_is_dropped() -> None:
    bench = Bench()
    first, _ = bench.enter(session_timeout=1000.0)
    second, _ = bench.enter(session_timeout=1000.0)
    bench.join(first, session_timeout=1000.0)
    bench.sync(first, {first: b"1", second: b"2"})

    bench.pass_time(REBALANCE + 1)

    assert list(bench.group.members) == [first]
    assert bench.state() is GroupState.PREPARING


def test_an_id_that_is_not_used_lapses_after_the_session_timeout() -> None:
    bench = Bench()
    (refused,) = bench.join()
    bench.pass_time(SESSION + 1)

    assert bench.join(refused.member_id)[0].error is ErrorCode.unknown_member_id
    assert bench.group.next_deadline() is None


def test_an_id_given_out_holds_a_rebalance_up_until_it_is_used_or_lapses() -> None:
    bench = Bench()
    first, second = bench.stable_pair()
    bench.join()
    rejoined = bench.join(first) + bench.join(second)
    assert rejoined == []
    assert bench.state() is GroupState.PREPARING

    bench.pass_time(SESSION + 0.1)

    assert bench.state() is GroupState.COMPLETING
    assert bench.group.generation == 3


def test_a_member_that_waits_for_us_does_not_expire() -> None:
    bench = Bench()
    first, _ = bench.enter()
    bench.sync(first, {first: b"1"})
    second, joined = bench.enter(rebalance_timeout=1000.0)
    for _ in range(30):
        bench.pass_time(5)
        assert bench.beat(first) is ErrorCode.rebalance_in_progress
    assert second in bench.group.members
    assert joined == []


def test_a_new_member_that_waits_for_ever_is_given_up_after_five_minutes() -> None:
    bench = Bench()
    first, _ = bench.enter()
    bench.sync(first, {first: b"1"})
    second, joined = bench.enter(rebalance_timeout=10_000.0)
    for _ in range(61):
        bench.pass_time(5)
        bench.beat(first)
    assert second not in bench.group.members
    assert joined[0].error is ErrorCode.unknown_member_id


def test_an_empty_group_waits_for_more_members_when_told_to() -> None:
    bench = Bench(initial_delay=3.0)
    first, first_joined = bench.enter()
    bench.pass_time(2)
    second, second_joined = bench.enter()
    bench.pass_time(2)
    assert first_joined == second_joined == []

    bench.pass_time(1.1)

    assert first_joined[0].generation == second_joined[0].generation == 1
    assert {member for member, _, _ in first_joined[0].members} == {first, second}


def test_a_repeated_join_of_the_same_generation_is_answered_again() -> None:
    bench = Bench()
    first, joined = bench.enter()
    assert bench.join(first) == joined
    assert bench.group.generation == 1


def test_a_leader_that_joins_again_starts_a_generation_and_a_follower_does_not() -> None:
    bench = Bench()
    first, second = bench.stable_pair()
    (again,) = bench.join(second)
    assert (again.generation, again.leader) == (2, first)
    assert bench.state() is GroupState.STABLE

    assert bench.join(first) == []
    assert bench.state() is GroupState.PREPARING


def test_a_follower_whose_subscription_changed_starts_a_generation() -> None:
    bench = Bench()
    _, second = bench.stable_pair()
    assert bench.join(second, protocols={"range": b"other topics"}) == []
    assert bench.state() is GroupState.PREPARING


def test_waiting_synchronisers_are_sent_back_when_a_member_comes() -> None:
    bench = Bench()
    first, _ = bench.enter()
    second, _ = bench.enter()
    bench.join(first)
    waiting = bench.sync(second)
    assert waiting == []

    bench.enter()

    assert waiting[0].error is ErrorCode.rebalance_in_progress


def test_the_assignor_most_members_prefer_is_chosen_among_those_all_know() -> None:
    bench = Bench()
    both = {"sticky": b"", "range": b"", "roundrobin": b""}
    first, _ = bench.enter(protocols={"range": b"", "sticky": b""})
    bench.enter(protocols={"sticky": b"", "range": b""})
    third, _ = bench.enter(protocols=both)
    (joined,) = bench.join(first, protocols={"range": b"", "sticky": b""})

    assert third in bench.group.members
    assert joined.protocol_name == "sticky"


def test_what_leaves_a_group_last_leaves_it_empty() -> None:
    bench = Bench()
    first, second = bench.stable_pair()
    assert bench.group.leave(first, None, bench.now) is ErrorCode.none
    assert bench.group.leader == second
    assert bench.group.leave(second, None, bench.now) is ErrorCode.none

    assert bench.state() is GroupState.EMPTY
    assert bench.group.next_deadline() is None
    assert bench.group.commit_error("", -1, None, bench.now) is ErrorCode.none


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
