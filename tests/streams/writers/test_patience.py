"""How a writer waits: backoff, the limiter's spacing and pauses, the breaker's probe."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.writers.patience import Backoff, Breaker, Limiter
from tests.streams.virtual_clock import VirtualClock


class TestBackoff:
    @given(attempt=st.integers(1, 10_000), seed=st.integers(0, 99))
    def test_a_pause_is_between_half_and_the_whole_of_a_doubling_step(
        self, attempt: int, seed: int
    ) -> None:
        pause = Backoff(0.5, 60.0).pause(attempt, random.Random(seed))
        step = min(60.0, 0.5 * 2.0 ** min(attempt - 1, 20))
        assert step / 2 <= pause <= step

    def test_two_lanes_do_not_wake_together(self) -> None:
        chance = random.Random(1)
        assert len({Backoff().pause(3, chance) for _ in range(10)}) == 10


class Calls:
    """Calls under a limiter, and when each began."""

    def __init__(self, limiter: Limiter, clock: VirtualClock, seconds: float = 0.0) -> None:
        self.limiter, self.clock, self.seconds = limiter, clock, seconds
        self.began: list[float] = []
        self.most = 0

    async def call(self) -> None:
        async with self.limiter.call():
            self.began.append(round(self.clock.passed, 6))
            self.most = max(self.most, self.limiter.in_flight)
            if self.seconds:
                await self.clock.sleep(self.seconds)

    def busiest_second(self) -> int:
        """The most calls that began within one second."""
        times = sorted(self.began)
        return max(sum(a <= b < a + 1 for b in times) for a in times)


class TestLimiter:
    async def test_calls_are_spaced_after_a_burst_of_a_seconds_calls(self) -> None:
        clock = VirtualClock()
        calls = Calls(Limiter(100, 4.0, clock), clock)
        await clock.run(*(calls.call() for _ in range(13)))
        assert calls.began[:5] == [0.0] * 5
        assert calls.began[5:] == [0.25 * n for n in range(1, 9)]

    async def test_no_more_calls_run_at_once_than_there_are_slots(self) -> None:
        clock = VirtualClock()
        calls = Calls(Limiter(3, 1000.0, clock), clock, seconds=2.0)
        await clock.run(*(calls.call() for _ in range(9)))
        assert calls.most == 3
        assert calls.began == [0.0] * 3 + [2.0] * 3 + [4.0] * 3
        assert calls.limiter.in_flight == 0

    async def test_a_pause_holds_everybody(self) -> None:
        clock = VirtualClock()
        limiter = Limiter(50, 100.0, clock)
        limiter.pause(30.0)
        limiter.pause(5.0)  # a shorter one takes nothing back
        calls = Calls(limiter, clock)
        await clock.run(*(calls.call() for _ in range(20)))
        assert min(calls.began) == 30.0

    async def test_after_a_pause_the_calls_that_waited_are_spaced_too(self) -> None:
        clock = VirtualClock()
        limiter = Limiter(50, 2.0, clock)
        calls = Calls(limiter, clock)

        async def pause_soon() -> None:
            await clock.sleep(0.1)
            limiter.pause(60.0)

        await clock.run(pause_soon(), *(calls.call() for _ in range(20)))
        after = [began for began in calls.began if began > 0.1]
        assert min(after) >= 60.1
        # A burst of one second's calls, and the calls of that second.
        assert max(sum(a <= b < a + 1 for b in after) for a in after) <= 2 + 2 + 1

    async def test_what_was_waited_is_known(self) -> None:
        clock = VirtualClock()
        limiter = Limiter(1, 1.0, clock)
        limiter.pause(10.0)
        await clock.run(Calls(limiter, clock).call())
        assert limiter.waited_seconds == pytest.approx(10.0)

    async def test_a_slot_is_given_back_when_a_call_fails(self) -> None:
        clock = VirtualClock()
        limiter = Limiter(1, 100.0, clock)
        for _ in range(3):
            with pytest.raises(RuntimeError):
                async with limiter.call():
                    raise RuntimeError
        assert limiter.in_flight == 0


class TestBreaker:
    def breaker(self, clock: VirtualClock) -> Breaker:
        return Breaker(clock, random.Random(1), threshold=5, backoff=Backoff(10.0, 60.0))

    async def test_it_opens_after_so_many_failures_in_a_row(self) -> None:
        breaker = self.breaker(VirtualClock())
        for _ in range(4):
            breaker.failed()
        breaker.succeeded()
        for _ in range(4):
            breaker.failed()
        assert not breaker.is_open
        breaker.failed()
        assert breaker.is_open

    async def test_while_it_is_open_one_probe_goes_and_all_others_wait(self) -> None:
        clock = VirtualClock()
        breaker = self.breaker(clock)
        for _ in range(5):
            breaker.failed()
        inside, most, admitted = 0, 0, []

        async def lane(number: int) -> None:
            nonlocal inside, most
            async with breaker.admitted() as probing:
                inside += 1
                most = max(most, inside)
                admitted.append((probing, clock.passed))
                await clock.sleep(3.0)
                if number == 0:
                    breaker.failed(probing=probing)
                else:
                    breaker.succeeded()
                inside -= 1

        await clock.run(*(lane(number) for number in range(6)))
        first, second, *others = admitted
        assert first[0] and 5.0 <= first[1] <= 10.0
        assert second[0] and second[1] - first[1] >= 3.0 + 10.0, "the pause grows"
        assert [probing for probing, _ in others] == [False] * 4, "closed: nobody probes"
        assert not breaker.is_open
        assert most == 4

    async def test_calls_under_way_when_it_opened_do_not_prolong_the_pause(self) -> None:
        clock = VirtualClock()
        breaker = self.breaker(clock)
        for _ in range(60):
            breaker.failed()

        async def probe() -> float:
            async with breaker.admitted():
                return clock.passed

        assert (await clock.run(probe()))[0] <= 10.0

    async def test_a_lane_that_gives_up_waiting_lets_the_next_one_probe(self) -> None:
        clock = VirtualClock()
        breaker = self.breaker(clock)
        for _ in range(5):
            breaker.failed()

        async def lane() -> bool:
            async with breaker.admitted() as probing:
                return probing

        async def scenario() -> bool:
            first = asyncio.create_task(lane())
            await clock.sleep(1.0)
            first.cancel()
            return await lane()

        assert await clock.run(scenario()) == [True]
