"""The group state machine, moment by moment."""

from __future__ import annotations

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.members import GroupState
from tests.sandbox.kafka.group_bench import REBALANCE, SESSION, Bench


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


def test_a_silent_member_is_dropped_at_the_end_of_its_own_session() -> None:
    bench = Bench()
    patient, _ = bench.enter(session_timeout=1000.0)
    silent, _ = bench.enter(session_timeout=6.0)
    bench.join(patient, session_timeout=1000.0)
    bench.sync(patient, {patient: b"1", silent: b"2"})
    bench.sync(silent)

    bench.pass_time(5.9)
    assert list(bench.group.members) == [patient, silent]
    bench.pass_time(0.2)
    assert list(bench.group.members) == [patient]


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
