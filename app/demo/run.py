"""The demo in order: set the stage, play the history, wait, judge, show."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from app.demo import erp, play
from app.demo.acts import expectations, written
from app.demo.approvers import Approvers
from app.demo.bad_day import BadDay, bad_day_on, told
from app.demo.history import History, Played, Playwright
from app.demo.judge import Judgement, judge, judged
from app.demo.kept import guide
from app.demo.pen import Pen
from app.demo.report import Figures, show
from app.demo.stage import Stage, stage
from app.demo.truth import Person, Truth
from app.rule_files.loading import load_rules
from app.sandbox.entra.clients import EntraClient
from app.settings.fields import FINANCE_RULES_DIRECTORY, RULES_DIRECTORY

#: The shipped rules, and those that a company with finance and operations adds.
RULES = (RULES_DIRECTORY, FINANCE_RULES_DIRECTORY)
_LIMIT_SECONDS = 240.0
_PATIENCE_SECONDS = 10.0
_LIVE_CHANGES = 40
_HOURS_AGO = 3
_PIPED_COLUMNS = 130
#: As long as the rules let evidence be on its way (app/rules/compliance_gate.yaml), and a little.
GRACE_SECONDS = 7.0


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    keep: bool
    chaos: bool
    faults: bool
    everything: bool
    seed: int


def run(
    *,
    keep: bool = False,
    chaos: bool = False,
    faults: bool = False,
    everything: bool = False,
    seed: int = 7,
) -> int:
    """Run the demo; 0 when every record ended as the oracle says, else 1."""
    console = _console()
    try:
        with tempfile.TemporaryDirectory(prefix="dovetail-demo-") as folder:
            plan = Plan(keep, chaos, faults, everything, seed)
            return asyncio.run(_run(console, Path(folder), plan))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped: nothing is left running")
        return 130


def _console() -> Console:
    """The terminal; in a pipe or a build's log wide enough for the tables."""
    console = Console()
    piped = not console.is_terminal and "COLUMNS" not in os.environ
    return Console(width=_PIPED_COLUMNS) if piped else console


async def _run(console: Console, folder: Path, plan: Plan) -> int:
    _cancel_at_sigterm()
    started = time.monotonic()
    console.print("[bold]Dovetail demo[/bold]: embedded broker, simulated systems, one worker")
    async with stage(folder, rules=RULES) as here:
        demo = Demo(here, console, plan.seed)
        async with demo.clients():
            await demo.prepare()
            await demo.perform(plan)
            judgement, figures = await demo.conclude()
            show(console, judgement, figures, everything=plan.everything)
            letters_match = await demo.compare_dead_letters()
        console.print(f"took {time.monotonic() - started:.0f} s")
        if plan.keep:
            await _keep(console, demo)
    return 0 if judgement.agrees and letters_match else 1


def _cancel_at_sigterm() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _keep(console: Console, demo: Demo) -> None:
    console.print("\nstill running; Ctrl-C ends all of it")
    for line in guide(demo.here, demo.truth):
        console.print(line, highlight=False, soft_wrap=True)
    await asyncio.Event().wait()


class Demo:
    """One run of the demo on a stage."""

    def __init__(self, here: Stage, console: Console, seed: int) -> None:
        self.here = here
        self.console = console
        self.book = load_rules(*RULES)
        self.truth = self._truth(seed)
        self.seed = seed
        self.history = History()
        self.played_seconds = 0.0

    def _truth(self, seed: int) -> Truth:
        people = tuple(
            Person(EntraClient(user.login).principal_id, user.login, user.business_email)
            for user in self.here.content_server.definition.users
            if user.login != self.here.content_server.client.login
        )
        start_ms = (int(time.time()) - _HOURS_AGO * 3600) * 1000
        return written(Pen(self.book.catalogue, people, seed, start_ms))

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[None]:
        """The producers' and the watcher's connections to the broker."""
        address = self.here.bootstrap
        self.producer = AIOKafkaProducer(
            bootstrap_servers=address, linger_ms=5, enable_idempotence=True
        )
        consumer = AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False)
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        self.watch = play.Watch(self.here, consumer, admin)
        for client in (self.producer, consumer, admin):
            await client.start()
        try:
            async with AsyncExitStack() as self.listening:
                yield
        finally:
            await self.producer.stop()
            await consumer.stop()
            await admin.close()

    async def prepare(self) -> None:
        """Rows, early workspaces, topics, history; and the worker."""
        await play.create_topics(self.here)
        play.seed_dataverse(self.here, self.truth, self.book.catalogue)
        play.file_papers(self.here, self.truth)
        self.endpoint = play.service_endpoint(self.here, self.book.catalogue)
        await self.listening.enter_async_context(self.endpoint)
        told = erp.live(self.here.finance, self.truth)
        self.outbox = await self.listening.enter_async_context(play.finance_events(self.here))
        for listener in (
            play.webhook(self.here),
            Approvers(self.here.content_server, self.truth),
        ):
            await self.listening.enter_async_context(listener)
        early = play.early_workspaces(self.here, self.truth)
        partitions = self.here.names.partitions
        self.history = Playwright(self.truth, early, self.seed, partitions, told).write()
        records = len(self.truth.lives)
        self.console.print(
            f"history: {records} records, {len(self.history.messages)} messages, "
            f"{len(self.history.unreadable)} of them unreadable"
        )
        await self.here.worker.start()
        with self.console.status("the worker starts"):
            await self.here.worker.ready()

    async def perform(self, plan: Plan) -> None:
        """Produce everything, with what the plan lets go wrong meanwhile; wait for the end."""
        async with AsyncExitStack() as stack:
            day = None
            if plan.faults:
                day = await stack.enter_async_context(bad_day_on(self.here))
                await day.begin()
            await self._play(plan, day)
            if day is not None:
                struck = told(await day.end())
                self.console.print(f"faults that struck while it played:\n{struck}")

    async def _play(self, plan: Plan, day: BadDay | None) -> None:
        started = time.monotonic()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=self.console) as bar:
            total = len(self.history.messages)
            task = bar.add_task("playing", total=total, note="")
            half = total // 2
            first, rest = self.history.messages[:half], self.history.messages[half:]
            await self._produce(first, lambda n: bar.update(task, completed=n))
            if day is not None:
                await day.worsen()
            if plan.chaos:
                await self._crash()
            await self._produce(rest, lambda n: bar.update(task, completed=half + n))
            bar.update(task, completed=total)
            if day is not None:
                await day.recover()
            waiting = bar.add_task("finishing", total=None, note="")
            quiet = await self.watch.until_quiet(
                lambda n: bar.update(waiting, note=f"{n} messages on the path"), _LIMIT_SECONDS
            )
        if not quiet:
            self.console.print(f"[red]not done after {_LIMIT_SECONDS:.0f} s[/red]")
        self.played_seconds = time.monotonic() - started
        await self._later()

    async def _later(self) -> None:
        """People go on working: what they do is judged when the rules' time for it is over."""
        count = play.do_later(self.here, self.truth, self.book.catalogue)
        with self.console.status(f"{count} more changes, while everything runs"):
            await asyncio.sleep(GRACE_SECONDS)
            await self.watch.until_quiet(lambda _: None, _LIMIT_SECONDS)

    async def _produce(self, messages: list[Played], told: play.Told) -> None:
        await play.produce(self.producer, messages, told)

    async def _crash(self) -> None:
        await asyncio.sleep(2)
        behind = await self.watch.lag()
        await self.here.worker.kill()
        self.console.print(f"worker killed (SIGKILL) with {behind} messages on the path; restarted")
        await self.here.worker.start()

    async def conclude(self) -> tuple[Judgement, Figures]:
        """Judge, then measure a few live changes."""
        expected, here = expectations(self.truth), self.here
        judgement = await judged(
            lambda: judge(expected, here.content_server, here.dataverse, here.finance),
            _PATIENCE_SECONDS,
        )
        _, errors = await play.dead_letters(self.here)
        counters = await self.here.worker.counters()
        echoes = self.endpoint.sent + self.outbox.sent
        latencies: list[float] = []
        if judgement.agrees:
            latencies = await play.live_latencies(self.here, self.truth, _LIVE_CHANGES)
        figures = Figures(
            formats=self.history.formats,
            echoes=echoes,
            counters=counters,
            dead_letters=errors,
            played_seconds=self.played_seconds,
            latencies=latencies,
            worker_starts=self.here.worker.starts,
        )
        return judgement, figures

    async def compare_dead_letters(self) -> bool:
        """Every unreadable message has to be in the dead letters byte for byte, and no other."""
        letters, _ = await play.dead_letters(self.here)
        found: Counter[play.Letter] = Counter(letters)
        due: Counter[play.Letter] = Counter(
            (m.encoded.key, m.encoded.value, m.encoded.headers) for m in self.history.unreadable
        )
        missing, surplus = due - found, found - due
        if not missing and not surplus:
            count = len(self.history.unreadable)
            self.console.print(
                f"[green]✓[/green] all {count} unreadable messages are dead letters, byte for byte"
            )
            return True
        self.console.print(
            f"[red]✗[/red] dead letters: {missing.total()} missing, {surplus.total()} too many"
        )
        return False
