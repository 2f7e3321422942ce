"""Notes which public operations of another vendor's client the conformance suites exercise.

    Client = recorded(OTCS, "pyxecm OTCS", at_least=60)
    client = Client(hostname=..., port=...)     # behaves as OTCS in every way

A client that is cut into several classes takes several calls under one name, each with the prefix
that its users write, and objects which the client made by itself are put under watch afterwards:

    Records = recorded(RecordOperations, "Dataverse client", prefix="records.")
    watch(client.records, Records)

An operation counts when a test called it itself (calls within the library do not count), it did
not raise, it returned something else than None or False (where that means failure: `nothing_is_
failure`), an iterator gave at least one item, and the test that called it passed.

This module is a plugin of pytest (tests/conftest.py names it): at the end of a session it prints
one line for each client. When the whole directory of conformance suites ran and passed, it also
fails the session for a client that falls short: of ``at_least`` or, without it, of all operations
but those ``left_out``. Under pytest-xdist the workers send their notes to the controller.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

SENT_AS = "conformance_operations"
HERE = Path(__file__).parent

T = TypeVar("T")


@dataclass(slots=True)
class Client:
    """What one vendor's client offers, and what of it has been exercised in this session."""

    public: list[str] = field(default_factory=list)
    exercised: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    at_least: int | None = None

    @property
    def missing(self) -> list[str]:
        """Neither exercised nor left out, by name."""
        return sorted(set(self.public) - set(self.exercised) - set(self.left_out))

    @property
    def shortfall(self) -> str:
        """What the suites still owe; empty when they owe nothing."""
        if self.at_least is not None:
            short = len(self.exercised) < self.at_least
            return f"at least {self.at_least} are wanted" if short else ""
        return f"missing {', '.join(self.missing)}" if self.missing else ""

    def merge(self, other: Client) -> None:
        """Add what another process noted of the same client."""
        for name in other.public:
            self.offer(name)
        self.exercised = sorted({*self.exercised, *other.exercised})
        self.left_out |= other.left_out
        self.at_least = other.at_least if self.at_least is None else self.at_least

    def offer(self, operation: str) -> None:
        if operation not in self.public:
            self.public.append(operation)


class Notes:
    """All clients of this process, and the operations that the running test has called."""

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}
        self._called: list[tuple[str, str]] = []

    def client(self, name: str) -> Client:
        return self.clients.setdefault(name, Client())

    def called(self, client: str, operation: str) -> None:
        self._called.append((client, operation))

    def settle(self, *, passed: bool) -> None:
        """The test is over: what it called counts if it passed."""
        called, self._called = self._called, []
        for name, operation in called if passed else ():
            client = self.client(name)
            if operation not in client.exercised:
                client.exercised.append(operation)

    def sent(self) -> dict[str, Any]:
        """As plain values, for another process."""
        return {name: asdict(client) for name, client in self.clients.items()}

    def receive(self, sent: Mapping[str, Any]) -> None:
        for name, values in sent.items():
            self.client(name).merge(Client(**values))


NOTES = Notes()


def recorded(
    client_class: type[T],
    client: str,
    *,
    prefix: str = "",
    at_least: int | None = None,
    left_out: Mapping[str, str] | None = None,
    nothing_is_failure: bool = True,
    only: Iterable[str] | None = None,
) -> type[T]:
    """A subclass of ``client_class`` whose public methods are noted under the name ``client``.

    ``left_out`` gives the reason for each operation that the suites do not call on purpose;
    ``only`` limits what counts as public. Names in both are without ``prefix``. Raises ValueError
    for a name that the class does not have.
    """
    offered = _public(client_class)
    if only is not None:
        offered = {name: offered[name] for name in only if name in offered}
    reasons = dict(left_out or {})
    if unknown := {*(only or ()), *reasons} - set(offered):
        raise ValueError(f"{client_class.__name__} has no method {', '.join(sorted(unknown))}.")
    notes = NOTES.client(client)
    notes.left_out |= {f"{prefix}{name}": reason for name, reason in reasons.items()}
    notes.at_least = at_least if at_least is not None else notes.at_least
    members: dict[str, Any] = {"__module__": client_class.__module__}
    for name, function in offered.items():
        notes.offer(f"{prefix}{name}")
        note = functools.partial(NOTES.called, client, f"{prefix}{name}")
        members[name] = _noting(function, note, nothing_is_failure)
    return type(client_class.__name__, (client_class,), members)


def watch(made: T, recorded_class: type[T]) -> T:
    """Note the calls on an object that the client made itself; the object is returned."""
    made.__class__ = recorded_class
    return made


def _public(client_class: type[Any]) -> dict[str, Callable[..., Any]]:
    members = inspect.getmembers(client_class, inspect.isfunction)
    return {name: function for name, function in members if not name.startswith("_")}


_DEPTH: ContextVar[int] = ContextVar("depth", default=0)


@contextmanager
def _call() -> Iterator[bool]:
    """Within a call; true for the outermost, which a test made."""
    depth = _DEPTH.get()
    _DEPTH.set(depth + 1)
    try:
        yield depth == 0
    finally:
        _DEPTH.set(depth)


def _noting(
    function: Callable[..., Any], note: Callable[[], None], nothing_is_failure: bool
) -> Callable[..., Any]:
    """``function`` with ``note`` called after each success."""

    def succeeded(value: Any) -> bool:
        return not (nothing_is_failure and (value is None or value is False))

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with _call() as outermost:
            value = function(*arguments, **named)
        if not outermost:
            return value
        if inspect.isgenerator(value):
            return _noting_items(value, note)
        if inspect.isasyncgen(value):
            return _noting_later_items(value, note)
        if inspect.iscoroutine(value):
            return _noting_result(value, note, succeeded)
        if succeeded(value):
            note()
        return value

    return call


def _noting_items(
    items: Generator[Any, Any, Any], note: Callable[[], None]
) -> Generator[Any, Any, Any]:
    while True:
        with _call():
            try:
                item = next(items)
            except StopIteration as end:
                return end.value
        note()
        yield item


async def _noting_later_items(
    items: AsyncGenerator[Any, None], note: Callable[[], None]
) -> AsyncGenerator[Any, None]:
    while True:
        with _call():
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
        note()
        yield item


async def _noting_result(
    coroutine: Any, note: Callable[[], None], succeeded: Callable[[Any], bool]
) -> Any:
    with _call():
        value = await coroutine
    if succeeded(value):
        note()
    return value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test called count once it has passed."""
    report = yield
    if report.when == "call":
        NOTES.settle(passed=report.passed)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In a worker, send the notes; elsewhere fail a whole session that falls short."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[SENT_AS] = NOTES.sent()
    elif exitstatus == pytest.ExitCode.OK and _whole(session.config) and _short():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take the notes of a worker that has ended."""
    NOTES.receive(getattr(node, "workeroutput", {}).get(SENT_AS, {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line for each client, and with -v the reason for each operation left out."""
    if not any(client.exercised for client in NOTES.clients.values()):
        return
    terminalreporter.section("operations of other vendors' clients")
    for name, client in sorted(NOTES.clients.items()):
        terminalreporter.write_line(_line(name, client, verbose=config.get_verbosity() > 0))
        if config.get_verbosity() > 0:
            for operation, reason in sorted(client.left_out.items()):
                terminalreporter.write_line(f"    left out: {operation}: {reason}")
    for line in _short() if _whole(config) else []:
        terminalreporter.write_line(line, red=True)


def _line(name: str, client: Client, *, verbose: bool) -> str:
    text = f"{name}: {len(client.exercised)} of {len(client.public)} public operations exercised"
    if client.at_least is not None:
        text += f" (at least {client.at_least})"
    if client.left_out:
        text += f", {len(client.left_out)} left out on purpose"
    shown = client.missing if verbose else client.missing[:8]
    more = len(client.missing) - len(shown)
    rest = f" and {more} more (-v lists them)" if more else ""
    return f"{text}: missing {', '.join(shown)}{rest}" if shown else text


def _short() -> list[str]:
    return [
        f"{name}: too little is exercised: {client.shortfall}."
        for name, client in sorted(NOTES.clients.items())
        if client.shortfall
    ]


def _whole(config: pytest.Config) -> bool:
    """Whether every conformance suite was asked for, so that the floors mean something."""
    narrowed = ("keyword", "markexpr", "lf", "deselect", "stepwise", "maxfail")
    if any(getattr(config.option, name, None) for name in narrowed):
        return False
    paths = [Path(config.invocation_params.dir, argument) for argument in config.args]
    return any(HERE.is_relative_to(path.resolve()) for path in paths)
