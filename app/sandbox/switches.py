"""One way to the fault switches of every simulated system, whatever it is made of.

A bad day (`bad_day`) is a set of faults that a worker has to get through without losing or doubling
anything: it is what `make demo ARGS=--faults` plays.
"""

from __future__ import annotations

from typing import Any, Protocol

from app.sandbox import faults
from app.sandbox.assembly import Sandbox
from app.sandbox.choice import System
from app.sandbox.kafka import EmbeddedBroker
from app.sandbox.kafka import admin as kafka

Told = dict[str, Any]


class Switches(Protocol):
    """The faults of one system."""

    async def set(self, body: Any) -> None:
        """Add faults, one or a list. Raises ValueError, TypeError or LookupError with the reason,
        and then none was added."""
        ...

    def clear(self, kind: str | None = None) -> None:
        """Forget those of one kind, or all."""
        ...

    def told(self) -> Told:
        """``waiting``, ``struck`` and ``kinds``, as the admin path of each system answers."""
        ...


class WebSwitches:
    """Of a simulated system that speaks HTTP."""

    def __init__(self, of: faults.Faults) -> None:
        self._faults = of

    async def set(self, body: Any) -> None:
        self._faults.add(*faults.parse_faults(body))

    def clear(self, kind: str | None = None) -> None:
        self._faults.clear(kind)

    def told(self) -> Told:
        return faults.told(self._faults)


class BrokerSwitches:
    """Of the embedded broker."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self._broker = broker

    async def set(self, body: Any) -> None:
        await kafka.let_happen(self._broker, kafka.parsed(body))

    def clear(self, kind: str | None = None) -> None:
        self._broker.faults.clear(kind)

    def told(self) -> Told:
        return kafka.told(self._broker)


def switches_of(sandbox: Sandbox) -> dict[System, Switches]:
    """The switches of everything that runs."""
    found: dict[System, Switches] = {}
    if sandbox.broker is not None:
        found[System.KAFKA] = BrokerSwitches(sandbox.broker)
    if sandbox.entra is not None:
        found[System.ENTRA] = WebSwitches(sandbox.entra.faults)
    if sandbox.dataverse is not None:
        found[System.DATAVERSE] = WebSwitches(sandbox.dataverse.faults)
    if sandbox.finance is not None:
        found[System.FINANCE] = WebSwitches(sandbox.finance.faults)
    if sandbox.content_server is not None:
        found[System.CONTENT_SERVER] = WebSwitches(sandbox.content_server.faults)
    return found


def bad_day(system: System) -> list[dict[str, Any]]:
    """The faults of a bad day on one system; they are over by themselves or strike now and then."""
    return [dict(fault) for fault in _BAD_DAYS[system]]


_ALWAYS = None
_WEB: tuple[dict[str, Any], ...] = (
    {"kind": "latency", "times": _ALWAYS, "every": 7, "seconds": 0.15},
    {"kind": "status", "times": 12, "every": 9, "status": 429, "retry_after": 1},
    {"kind": "status", "times": 8, "every": 31, "status": 503, "html": True},
    {"kind": "reset", "times": 10, "every": 37},
    {"kind": "hang_up", "times": 10, "every": 41},
    {"kind": "slow_body", "times": 10, "every": 29, "seconds": 0.4},
    {"kind": "cut_body", "times": 10, "every": 43},
    {"kind": "lose_answer", "times": 10, "every": 23, "method": "POST"},
)
_BAD_DAYS: dict[System, tuple[dict[str, Any], ...]] = {
    System.KAFKA: (
        {"kind": "latency", "times": 40, "seconds": 0.05},
        {"kind": "hang_up", "times": 4, "api": "fetch"},
        {"kind": "lose_answer", "times": 4, "api": "produce"},
        {"kind": "not_leader", "times": 4},
        {"kind": "refuse", "seconds": 1.0},
        {"kind": "stall", "api": "produce", "seconds": 2.5},  # nobody is in before
    ),
    System.ENTRA: (
        # Few: a worker asks for a token once an hour, and waits longer after each failure.
        {"kind": "status", "status": 503, "html": True},
        {"kind": "hang_up"},
        {"kind": "slow_body", "times": 3, "seconds": 0.5},
    ),
    System.DATAVERSE: (
        *_WEB,
        {"kind": "lose_answer", "times": 10, "every": 19, "method": "PATCH"},
        {"kind": "token_expired", "times": 5, "every": 47},
        {"kind": "etag_race", "times": 10, "every": 11},
        {"kind": "sql_timeout", "times": 5, "every": 53},
        {"kind": "outage", "lasting": 3},
    ),
    System.FINANCE: (
        *_WEB,
        {"kind": "token_expired", "times": 5, "every": 17},
        {"kind": "etag_race", "times": 5, "every": 7},
        {"kind": "deadlock", "times": 5, "every": 19},
        {"kind": "outage", "lasting": 3},
    ),
    System.CONTENT_SERVER: (
        *_WEB,
        {"kind": "lose_answer", "times": 10, "every": 13, "method": "PUT"},
        {"kind": "expire_ticket", "times": 5, "every": 59},
        {"kind": "etag_race", "times": 5, "every": 2},
        {"kind": "error_page", "times": 5, "every": 61},
        {"kind": "outage", "lasting": 3},
    ),
}
