"""Failures on purpose: what tests and demos can make the broker do wrong.

Kinds that wait for a request of `api` (a name like ``produce``, ``fetch``, ``offset_commit``; none
for all), each for as many `times` as it says: ``latency`` handles it `seconds` later; ``hang_up``
closes its connection before it is looked at; ``lose_answer`` handles it and closes its connection
in place of the answer; ``not_leader`` answers NOT_LEADER_OR_FOLLOWER for `topic` and `partition`
(none for all). ``stall`` holds requests before they are handled, and ``refuse`` closes every
connection and lets no new one in, both for `seconds` or until it is cleared. All take effect at
once; connections and requests are not told.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from kio.schema.index import api_key_map

PRODUCE = "produce"
KINDS = ("latency", "hang_up", "lose_answer", "not_leader", "stall", "refuse")
_LASTING = ("stall", "refuse")
_API_NAMES = frozenset(api_key_map.values())


@dataclass(slots=True)
class BrokerFault:
    """One thing that shall go wrong. `times` is how many requests it strikes, None for all until it
    is cleared; a stall and a refusal strike all, and 0 `seconds` of them last until then."""

    kind: str
    times: int | None = 1
    api: str | None = None
    topic: str | None = None
    partition: int | None = None
    seconds: float = 0.0

    def applies_to(self, api: str) -> bool:
        """Whether it is for requests of this name."""
        return self.api in (None, api)

    def hits(self, topic: str, partition: int) -> bool:
        """Whether it is for this partition."""
        return self.topic in (None, topic) and self.partition in (None, partition)


class Faults:
    """The switches, consulted as each connection is accepted, each request taken and each answer
    sent. All are off at first."""

    def __init__(self, close_connections: Callable[[], None]) -> None:
        self._close_connections = close_connections
        self._waiting: list[BrokerFault] = []
        self._changed = asyncio.Event()
        self.struck: Counter[str] = Counter()
        """How often each kind has struck."""

    def refuses(self) -> bool:
        """Called with each new connection: whether it is closed at once."""
        if not any(fault.kind == "refuse" for fault in self._waiting):
            return False
        self.struck["refuse"] += 1
        return True

    def waiting(self) -> list[BrokerFault]:
        """What has still to strike, oldest first."""
        return list(self._waiting)

    def add(self, *faults: BrokerFault) -> None:
        """Let these go wrong from now on. Raises ValueError for a kind, a name or a number that
        makes no sense, and then none of them does."""
        for fault in faults:
            _check(fault)
        for fault in faults:
            self._waiting.append(fault)
            if fault.kind in _LASTING and fault.seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(fault.seconds, self._end, fault)
        if any(fault.kind == "refuse" for fault in faults):
            self.drop_connections()

    def clear(self, kind: str | None = None) -> None:
        """Forget the faults of a kind, or all; what was held goes on."""
        self._waiting = [f for f in self._waiting if kind is not None and f.kind != kind]
        self._wake()

    def stall_produce(self, seconds: float | None = None) -> None:
        """Hold every Produce request before it is appended, for `seconds` or until `resume`."""
        self.clear("stall")
        self.add(BrokerFault("stall", times=None, api=PRODUCE, seconds=seconds or 0.0))

    def resume(self) -> None:
        """End a stall; what was held goes on in order of arrival per connection."""
        self.clear("stall")

    def lose_produce_answers(self, count: int) -> None:
        """Append the next `count` Produce requests but close their connection instead of
        answering, so that the producer cannot know."""
        self.clear("lose_answer")
        if count:
            self.add(BrokerFault("lose_answer", times=count, api=PRODUCE))

    def drop_connections(self) -> None:
        """Close every open connection; clients may connect again."""
        self.struck["drop"] += 1
        self._close_connections()

    def refuse_connections(self) -> None:
        """Close every open connection and each new one, until `accept_connections`."""
        self.add(BrokerFault("refuse", times=None))

    def accept_connections(self) -> None:
        """End `refuse_connections`."""
        self.clear("refuse")

    async def before(self, api_key: int) -> bool:
        """Called with each request before it is handled; False when it is not to be."""
        if not self._waiting:
            return True
        api = api_key_map.get(api_key, "")
        if self._find("stall", api) is not None:
            self.struck["stall"] += 1
        while self._find("stall", api) is not None:
            self._changed.clear()
            await self._changed.wait()
        late = self._take("latency", api)
        if late is not None:
            await asyncio.sleep(late.seconds)
        return self._take("hang_up", api) is None

    def loses_answer(self, api_key: int) -> bool:
        """Called with each request after it was handled: whether its answer is not sent."""
        if not self._waiting:
            return False
        return self._take("lose_answer", api_key_map.get(api_key, "")) is not None

    def is_not_leader(self, topic: str, partition: int) -> bool:
        """Called with each partition that a request wants to read or write."""
        for fault in self._waiting:
            if fault.kind == "not_leader" and fault.hits(topic, partition):
                self._use_up(fault)
                return True
        return False

    def _find(self, kind: str, api: str) -> BrokerFault | None:
        found = (f for f in self._waiting if f.kind == kind and f.applies_to(api))
        return next(found, None)

    def _take(self, kind: str, api: str) -> BrokerFault | None:
        fault = self._find(kind, api)
        if fault is not None:
            self._use_up(fault)
        return fault

    def _use_up(self, fault: BrokerFault) -> None:
        self.struck[fault.kind] += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self._waiting.remove(fault)

    def _end(self, fault: BrokerFault) -> None:
        # Another that was added since may be equal to it.
        self._waiting = [waiting for waiting in self._waiting if waiting is not fault]
        self._wake()

    def _wake(self) -> None:
        self._changed.set()


def _check(fault: BrokerFault) -> None:
    if fault.kind not in KINDS:
        raise ValueError(
            f"There is no fault {fault.kind!r}; this broker knows: {', '.join(KINDS)}."
        )
    if fault.times is not None and fault.times < 1:
        raise ValueError("times must be at least 1, or null for every request.")
    if fault.seconds < 0:
        raise ValueError("seconds must not be negative.")
    if fault.api is not None and fault.api not in _API_NAMES:
        raise ValueError(
            f"There is no request {fault.api!r}: use the protocol's name, like produce, fetch or "
            "offset_commit."
        )
