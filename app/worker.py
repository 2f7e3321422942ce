"""The worker: the composition root of the path.

It serves its pages first, then waits for both systems and refuses rules that name what they do not
have, and only then joins the group: a worker that cannot write takes no partition from one that
can.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import random
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from prometheus_client import CollectorRegistry, disable_created_metrics

from app import version
from app.connections import Connections, connections, require_finance
from app.data_folder import data_folder
from app.gates import Gates
from app.live_names import live_names, names_looked_for
from app.pages import Health, pages
from app.rule_files.live import check_live
from app.rule_files.loading import RuleFiles, read_rules
from app.serving import ServedApp
from app.settings import Settings
from app.settings.kafka import engine_settings
from app.source_topics import watch
from app.worker_metrics import EngineMetrics, HttpMetrics
from streams import decide, decode, topics
from streams.deciding import memory
from streams.deciding.absorb import Absorber
from streams.engine import Engine, EngineStatus, Halted, TopicSpec
from streams.errors import Misconfigured, Refused, Retryable
from streams.guard import DeadLetterLimit, Guard
from streams.metrics import Metrics
from streams.timekeeper import Timekeeper
from streams.write_dynamics import DynamicsWriter
from streams.write_ecm import EcmWriter
from streams.writers.patience import Backoff, Breaker, Limiter, SystemClock
from streams.writers.writing import Patience

log = logging.getLogger(__name__)
T = TypeVar("T")

#: A lane that waits for a retry keeps its place, so there are more lanes than calls.
_LANES_PER_CALL = 4

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: For letting go of connections, stores and requests, beside the revoke budget; within what
#: k8s/base gives a pod to end.
_END_SECONDS = 40.0


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; raises Misconfigured when it halts itself.

    Once it is told to end, further signals change nothing, and it does end: after a time that is
    far longer than what it then has to do, the process says where each thread is, and fails.
    """
    # Else a second series for each counter, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    asyncio.run(_until_signalled(settings))


async def _until_signalled(settings: Settings) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def end() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # until the interpreter is gone, too
        limit = settings.revoke_budget_seconds + _END_SECONDS
        faulthandler.dump_traceback_later(limit, exit=True)
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, end)
    with contextlib.suppress(asyncio.CancelledError):
        await Worker(settings).run()


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rules: RuleFiles = read_rules(*settings.rules_directory)
        require_finance(settings, self.rules.book)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.health = Health(rules=self.rules.book.digest)
        self.metrics.build_info.labels(version(), self.rules.book.digest).set(1)
        self.gates = Gates(self.rules.book, SystemClock().now_ms, settings.gate_stale_after_seconds)
        self._assigned: set[str] = set()

    async def run(self) -> None:
        """Serve the pages, wait for the systems, then work until cancelled or halted."""
        settings = self.settings
        folder = settings.data_directory / settings.application_id
        async with (
            self._pages(),
            data_folder(folder, self._waits_for),
            self._connections() as systems,
        ):
            own_user = await self._systems_ready(systems)
            engine = self._engine(systems, own_user)
            self.health.engine = engine.status
            self.gates.rows = engine
            self.health.waiting_for = None
            log.info("working", extra={"rules": self.rules.book.digest})
            beside = (
                asyncio.create_task(self._timekeeper(engine).run()),
                asyncio.create_task(watch(self.settings, engine, self._topics_missing)),
            )
            try:
                await engine.run()
            except Halted as halted:
                raise Misconfigured(
                    f"the worker halted: {halted}",
                    advice="put that right and start it again: nothing unfinished was committed",
                ) from None
            finally:
                for task in beside:
                    task.cancel()
                self.health.waiting_for = "nothing: the worker stops"

    def _topics_missing(self, names: frozenset[str]) -> None:
        self.health.missing_topics = tuple(sorted(names))
        self.metrics.topics_missing.set(len(names))

    def _waits_for(self, what: str) -> None:
        self.health.waiting_for = what

    @contextlib.asynccontextmanager
    async def _pages(self) -> AsyncIterator[None]:
        app = pages(self.health, self.registry, self._refresh, self.gates)
        served = ServedApp(app, host=self.settings.http_host, port=self.settings.http_port)
        try:
            await served.start()
        except OSError as error:
            raise Misconfigured(
                f"the pages cannot be served at {self.settings.http_host}:"
                f"{self.settings.http_port}: {error.strerror}",
                advice="set DOVETAIL_HTTP_PORT to a port that is free",
            ) from None
        self.gates.address = self.settings.http_advertised_url or _reachable(served)
        log.info("pages", extra={"url": served.url, "advertised": self.gates.address})
        try:
            yield
        finally:
            await served.close()
            await self.gates.close()

    def _connections(self) -> contextlib.AbstractAsyncContextManager[Connections]:
        return connections(self.settings, self.rules.book.catalogue, HttpMetrics(self.metrics))

    async def _systems_ready(self, systems: Connections) -> str:
        """Wait for both systems and check the rules against them; the id of our own user."""
        own_user = await self._waited("Dataverse", systems.dynamics.own_user)
        names = await live_names(systems, self.rules.book.catalogue, self._waited)
        try:
            names = await names_looked_for(names, systems, self.rules.book, self._waited)
        except Refused as refusal:  # which says nothing about the rules
            log.warning("workflow maps and classifications are not checked: %s", refusal)
        check_live(self.rules, names)
        return own_user

    async def _waited(self, system: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, and say what is waited for."""
        backoff, attempt = Backoff(0.5, 15.0), 0
        while True:
            attempt += 1
            self.health.waiting_for = system
            try:
                return await ask()
            except Retryable as failure:
                pause = max(backoff.pause(attempt, random.Random()), failure.retry_after or 0)
                self.health.details = {"last_failure": str(failure)}
                log.warning(
                    "waiting for %s: %s", system, failure, extra={"again_in_seconds": pause}
                )
                await asyncio.sleep(pause)
            else:
                self.health.details = {}

    def _engine(self, systems: Connections, own_user: str) -> Engine:
        settings = replace(engine_settings(self.settings), advertised_url=self.gates.address)
        engine = Engine(settings, observer=EngineMetrics(self.metrics))
        for topic in topics.ALL:
            engine.declare(TopicSpec(topic.name, self.settings.partitions, topic.configs))
        self._add_stages(engine, systems, own_user)
        return engine

    def _timekeeper(self, engine: Engine) -> Timekeeper:
        return Timekeeper(engine, SystemClock(), self.metrics)

    def _add_stages(self, engine: Engine, systems: Connections, own_user: str) -> None:
        book, metrics = self.rules.book, self.metrics
        engine.batch_stage(
            name=decode.NAME,
            topics=[*self.settings.source_topics, *self.settings.ecm_event_topics],
            stage=decode.DecodeStage(book, metrics, self._guard(decode.NAME)),
        )
        absorber = Absorber(book, frozenset({own_user}))
        engine.batch_stage(
            name=decide.NAME,
            topics=[topic.name for topic in decide.TOPICS],
            tables=memory.DECIDE_TABLES,
            stage=decide.DecideStage(
                book, absorber, metrics, self._guard(decide.NAME), SystemClock().now_ms
            ),
        )
        for writer, topic, calls in self._writers(systems):
            engine.lane_stage(
                name=writer.name,
                topics=[topic.name],
                tables=[writer.ledger],
                stage=writer,
                max_in_flight=calls * _LANES_PER_CALL,
            )

    def _writers(
        self, systems: Connections
    ) -> tuple[tuple[EcmWriter | DynamicsWriter, topics.Topic, int], ...]:
        settings = self.settings
        ecm_calls, calls = settings.ecm_calls_in_flight, settings.dataverse_calls_in_flight
        ecm = EcmWriter(
            self.metrics,
            self._guard(EcmWriter.name),
            _patience(ecm_calls, settings.ecm_calls_per_second),
            systems.ecm,
        )
        dynamics = DynamicsWriter(
            self.metrics,
            self._guard(DynamicsWriter.name),
            _patience(calls, settings.dataverse_calls_per_second),
            systems.dynamics,
            financial=self.rules.book.financial(),
            finance=_patience(settings.finance_calls_in_flight, settings.finance_calls_per_second),
            erp=self.rules.book.erp(),
        )
        calls += settings.finance_calls_in_flight if settings.finance_url else 0
        return (ecm, topics.ECM_COMMANDS, ecm_calls), (dynamics, topics.DYNAMICS_COMMANDS, calls)

    def _guard(self, stage: str) -> Guard:
        limit = DeadLetterLimit(
            self.settings.dead_letter_limit_consecutive,
            self.settings.dead_letter_limit_ratio,
            self.settings.dead_letter_limit_window_messages,
        )
        return Guard(stage, self.metrics, limit)

    def _refresh(self) -> None:
        """Bring the gauges that mirror the engine up to date."""
        if self.health.engine is None:
            return
        status: EngineStatus = self.health.engine()
        held: dict[str, int] = dict.fromkeys(self._assigned, 0)
        for place in status.assigned:
            held[place.topic] = held.get(place.topic, 0) + 1
        self._assigned |= held.keys()
        for topic, count in held.items():
            self.metrics.partitions_assigned.labels(topic).set(count)
        for place, behind in status.lag.items():
            self.metrics.lag_messages.labels(place.topic, str(place.partition)).set(behind)
        for table, remaining in status.recovering.items():
            self.metrics.recovery_remaining.labels(table).set(remaining)


def _reachable(served: ServedApp) -> str:
    """Where other workers reach the pages, when nobody says it."""
    everywhere = served.host in ("0.0.0.0", "::", "")
    return f"http://{socket.gethostname()}:{served.port}" if everywhere else served.url


def _patience(calls_in_flight: int, calls_per_second: float) -> Patience:
    clock = SystemClock()
    breaker = Breaker(clock, random.Random())
    return Patience(Limiter(calls_in_flight, calls_per_second, clock), breaker, clock)
