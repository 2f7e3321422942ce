"""The path without Kafka: decide and both writers over dictionaries, in any order one likes.

Messages of one key keep their order, as in a partition; which key goes on next is up to ``pick``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from streams.decide import DecideStage
from streams.deciding.absorb import Absorber
from streams.deciding.memory import TIMERS
from streams.engine.records import Outgoing, Record
from streams.guard import DeadLetterLimit, Guard
from streams.messages.facts import Fact
from streams.metrics import Metrics
from streams.rules import RuleBook
from streams.timekeeper import Timekeeper
from streams.topics import CHANGES, DYNAMICS_COMMANDS, ECM_COMMANDS, OUTCOMES
from streams.write_dynamics import DynamicsWriter
from streams.write_ecm import EcmWriter
from streams.writers.patience import Breaker, Limiter
from streams.writers.writing import Patience
from tables.wakes import parse_timer
from tests.fakes.gateways import FakeDynamics, FakeEcm
from tests.streams.rulebook import BOOK

_PATH = tuple(t.name for t in (CHANGES, OUTCOMES, ECM_COMMANDS, DYNAMICS_COMMANDS))

Pick = Callable[[Sequence[tuple[str, str]]], tuple[str, str]]


@dataclass
class DictRows:
    """Tables as one dictionary."""

    tables: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def get(self, table: str, key: str) -> bytes | None:
        return self.tables.get((table, key))

    def put(self, table: str, key: str, value: bytes) -> None:
        self.tables[table, key] = value

    def delete(self, table: str, key: str) -> None:
        self.tables.pop((table, key), None)

    def under(self, table: str, prefix: str) -> list[tuple[str, bytes]]:
        rows = ((key, v) for (name, key), v in self.tables.items() if name == table)
        return sorted((key, value) for key, value in rows if key.startswith(prefix))


@dataclass
class TestClock:
    """Time that only moves when somebody sleeps."""

    __test__ = False
    seconds: float = 1_700_010_000.0

    def monotonic(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return int(self.seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class World:
    """Decide, both writers, their rows and both systems."""

    def __init__(self, book: RuleBook = BOOK, own_users: frozenset[str] = frozenset()) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.rows = DictRows()
        self.ecm = FakeEcm()
        self.dynamics = FakeDynamics()
        self.clock = TestClock()
        self.guard = Guard("test", self.metrics, DeadLetterLimit())
        self.decide = DecideStage(
            book, Absorber(book, own_users), self.metrics, self.guard, self.clock.now_ms
        )
        self.write_ecm = EcmWriter(self.metrics, self.guard, self._patience(), self.ecm)
        self.write_dynamics = DynamicsWriter(
            self.metrics, self.guard, self._patience(), self.dynamics
        )
        self.queues: dict[tuple[str, str], list[Outgoing]] = {}
        self.sent: list[Outgoing] = []
        self._offset = 0

    def _patience(self) -> Patience:
        chance = random.Random(1)
        limiter = Limiter(8, 1e9, self.clock)
        return Patience(limiter, Breaker(self.clock, chance), self.clock, chance=chance)

    def tell(self, *facts: Fact) -> None:
        """Put facts on the changes topic."""
        for fact in facts:
            self._enqueue(Outgoing(CHANGES.name, fact.key.encode(), fact.to_json()))

    def _enqueue(self, message: Outgoing) -> None:
        if message.topic in (
            CHANGES.name,
            OUTCOMES.name,
            ECM_COMMANDS.name,
            DYNAMICS_COMMANDS.name,
        ):
            assert message.key is not None
            self.queues.setdefault((message.topic, message.key.decode()), []).append(message)

    async def run(self, pick: Pick = min, limit: int = 20_000, hold: Container[str] = ()) -> None:
        """Deliver until nothing is left, but for messages of the keys to ``hold``."""
        for _ in range(limit):
            waiting = sorted(q for q, messages in self.queues.items() if messages)
            waiting = [queue for queue in waiting if queue[1] not in hold]
            if not waiting:
                return
            chosen = pick(waiting)
            for message in await self.deliver(self.queues[chosen].pop(0)):
                self.sent.append(message)
                self._enqueue(message)
        raise AssertionError(f"still not done after {limit} messages: a loop")

    async def deliver(self, message: Outgoing) -> Sequence[Outgoing]:
        """Hand one message to its stage."""
        self._offset += 1
        record = Record(
            message.topic, 0, self._offset, 0, message.key, message.value, message.headers
        )
        if message.topic == ECM_COMMANDS.name:
            return await self.write_ecm.handle(record, self.rows)
        if message.topic == DYNAMICS_COMMANDS.name:
            return await self.write_dynamics.handle(record, self.rows)
        return self.decide.handle([record], self.rows)

    def held(self, table: str) -> Sequence[int]:
        """All rows are in one partition (``streams.timekeeper.Shelf``)."""
        return (0,)

    def scan(
        self, table: str, partition: int, *, after: str = "", limit: int = 1000
    ) -> list[tuple[str, bytes]]:
        rows = sorted((key, v) for (name, key), v in self.rows.tables.items() if name == table)
        return [(key, value) for key, value in rows if not after or key > after][:limit]

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for message in records:
            self._enqueue(message)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass; whoever waited for it decides again, as often as it takes."""
        until = self.clock.seconds + seconds
        keeper = Timekeeper(self, self.clock, self.metrics)
        while True:
            waiting = self.scan(TIMERS, 0, limit=1)
            next_ = parse_timer(waiting[0][0])[0] / 1000 if waiting else until
            self.clock.seconds = min(until, max(next_, self.clock.seconds))
            await keeper.ring()
            await self.run()
            if self.clock.seconds >= until:
                return

    def count(self, topic: str) -> int:
        return sum(message.topic == topic for message in self.sent)
