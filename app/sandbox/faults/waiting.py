"""The faults that wait for their request, and those of them that it meets."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

_NONE = type(None)
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "kind": ((str,), "a text"),
    "times": ((int, _NONE), "a whole number or null"),
    "method": ((str, _NONE), "a text or null"),
    "path": ((str, _NONE), "a text or null"),
    "seconds": ((int, float), "a number"),
    "status": ((int,), "a whole number"),
    "retry_after": ((int, _NONE), "a whole number or null"),
    "html": ((bool,), "true or false"),
    "every": ((int,), "a whole number"),
    "lasting": ((int, float, _NONE), "a number or null"),
}
"""What each field of a fault has to be, in Python's types and in words."""
BUILT_IN = (
    *("outage", "latency", "slow_body", "status"),
    *("reset", "hang_up", "cut_body", "lose_answer"),
)


@dataclass(slots=True)
class Fault:
    """One thing that shall go wrong.

    ``times`` is how many requests it strikes, None for all until it is cleared (an outage is
    always for all). ``method`` and ``path`` (a regular expression, searched in path and query)
    narrow the requests it applies to; of these it strikes each ``every``-th. ``lasting`` is after
    how many seconds it is over by itself.
    """

    kind: str
    times: int | None = 1
    method: str | None = None
    path: str | None = None
    seconds: float = 0.0
    status: int = 503
    retry_after: int | None = None
    html: bool = False
    every: int = 1
    lasting: float | None = None

    def applies_to(self, method: str, target: str) -> bool:
        if self.method is not None and self.method.upper() != method.upper():
            return False
        return self.path is None or re.search(self.path, target) is not None


@dataclass(slots=True)
class _Waiting:
    """A fault that was added: how many requests it has let pass, and until when it lasts."""

    fault: Fault
    until: float | None
    passed: int = 0


class Faults:
    """The faults that wait for their request, in the order in which they were added.

    ``kinds`` are the simulator's own, ``at_once`` what those kinds do that wait for no request.
    ``ended`` counts the requests that are over, whatever became of them.
    """

    def __init__(
        self,
        kinds: Iterable[str] = (),
        *,
        at_once: Mapping[str, Callable[[], None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = dict(at_once or {})
        self.kinds = (*BUILT_IN, *kinds, *self._at_once)
        self.struck: Counter[str] = Counter()
        self.ended = 0
        self._clock = clock
        self._added: list[_Waiting] = []

    def add(self, *faults: Fault) -> None:
        """Let these go wrong from now on.

        Raises ValueError for an unknown kind or a bad field, and then none of them does.
        """
        for fault in faults:
            check(fault, self.kinds)
        for fault in faults:
            if act := self._at_once.get(fault.kind):
                self.struck[fault.kind] += 1
                act()
                continue
            if fault.kind == "outage":
                fault.times = None
            until = None if fault.lasting is None else self._clock() + fault.lasting
            self._added.append(_Waiting(fault, until))

    def take(self, kind: str, method: str, target: str) -> Fault | None:
        """The first waiting fault of this kind for this request, used up by one; None if none."""
        if not self._added:
            return None
        self._forget_the_past()
        for waiting in self._added:
            fault = waiting.fault
            if fault.kind == kind and fault.applies_to(method, target):
                waiting.passed += 1
                if waiting.passed % fault.every == 0:
                    self._use_up(waiting)
                    return fault
        return None

    def clear(self, kind: str | None = None) -> None:
        """Forget the faults of one kind, or all."""
        self._added = [w for w in self._added if kind is not None and w.fault.kind != kind]

    def waiting(self) -> list[Fault]:
        """What has still to strike, oldest first."""
        self._forget_the_past()
        return [waiting.fault for waiting in self._added]

    def _forget_the_past(self) -> None:
        now = self._clock()
        self._added = [w for w in self._added if w.until is None or now < w.until]

    def _use_up(self, waiting: _Waiting) -> None:
        fault = waiting.fault
        self.struck[fault.kind] += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self._added.remove(waiting)


def check(fault: Fault, kinds: Iterable[str]) -> None:
    """Raises ValueError for an unknown kind or a field that makes no sense, with the reason."""
    if fault.kind not in kinds:
        known = ", ".join(kinds)
        raise ValueError(f"There is no fault {fault.kind!r}; this simulator knows: {known}.")
    if fault.times is not None and fault.times < 1:
        raise ValueError("times must be at least 1, or null for every request.")
    if not 200 <= fault.status <= 599:
        raise ValueError(f"{fault.status} is not an HTTP status that can be answered.")
    if fault.every < 1:
        raise ValueError("every must be at least 1: each request.")
    if fault.seconds < 0 or (fault.lasting is not None and fault.lasting <= 0):
        raise ValueError("seconds must not be negative, and lasting must be more than 0.")
    try:
        re.compile(fault.path or "")
    except re.error as error:
        raise ValueError(f"path is not a regular expression: {error}.") from error


def parse_faults(body: Any) -> list[Fault]:
    """The faults of a body, one or a list.

    Raises ValueError for what is none, for a field that it does not have and for a value that does
    not fit.
    """
    items = body if isinstance(body, list) else [body]
    known = {field.name for field in fields(Fault)}
    for item in items:
        if not isinstance(item, dict) or "kind" not in item:
            raise ValueError('A fault is an object with at least "kind".')
        if unknown := set(item) - known:
            raise ValueError(f"A fault has no field {', '.join(sorted(unknown))}.")
        for name, value in item.items():
            kinds, words = _TYPES[name]
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise ValueError(f"{name} has to be {words}, not {value!r}.")
    return [Fault(**item) for item in items]
