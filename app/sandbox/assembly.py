"""A sandbox: the chosen systems, started together, wired to each other and kept in a folder."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.sandbox import company
from app.sandbox.choice import (
    CHANGES_TOPIC,
    ECM_TOPIC,
    SOURCE_PARTITIONS,
    TITLES,
    Choice,
    System,
)
from app.sandbox.content_server import ContentServerSimulator
from app.sandbox.content_server import keeping as ecm_keeping
from app.sandbox.content_server.default_definition import default_definition
from app.sandbox.content_server.relay import EcmRelay
from app.sandbox.dataverse import DataverseSimulator
from app.sandbox.dataverse import keeping as dataverse_keeping
from app.sandbox.dataverse.push import ServiceEndpoint
from app.sandbox.entra import EntraSimulator
from app.sandbox.entra.defaults import TENANT
from app.sandbox.entra.tokens import RemoteKeys, TokenTrust
from app.sandbox.events.outbox import Outbox
from app.sandbox.finance import BusinessEvents, DataEvents, FinanceSimulator
from app.sandbox.finance import keeping as finance_keeping
from app.sandbox.kafka import EmbeddedBroker
from app.sandbox.keeping import Keeper, Part
from app.sandbox.keeping.keeper import Take
from app.serving import LocalCa

_LOOK_SECONDS = 0.1
#: So many looks long what has happened may take to be told. Seconds alone pass for a machine that
#: stands still, too.
_DRAIN_LOOKS = 30


class CannotStart(Exception):
    """A port is taken, or a file missing; the text says which and what to do."""


class Sandbox:
    """The chosen systems, while the context manager is open; None for those that do not run.

    With a data folder the simulated systems are saved all the time and once more at the end, after
    the last request was answered. Raises `CannotStart`; `FolderInUse`, `DataFolderInUse` and
    `Unusable` for a data folder.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.broker: EmbeddedBroker | None = None
        self.entra: EntraSimulator | None = None
        self.dataverse: DataverseSimulator | None = None
        self.finance: FinanceSimulator | None = None
        self.content_server: ContentServerSimulator | None = None
        self.keeper: Keeper | None = None
        self._takes: dict[Part, Take] = {}
        self._stack = AsyncExitStack()

    @property
    def bootstrap(self) -> str | None:
        """The address of the broker that the systems tell of what happens, if any."""
        return self.broker.bootstrap if self.broker else self.choice.kafka

    @property
    def running(self) -> list[System]:
        """What runs here, in the order of `System`."""
        return [system for system in System if self.choice.starts(system)]

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        if self.choice.data is not None:
            self.keeper = await self._stack.enter_async_context(Keeper(self.choice.data))
        elif self.choice.starts(System.KAFKA):
            # Tables of a worker whose topics were in the memory of an earlier sandbox.
            shutil.rmtree(self.choice.tables_folder, ignore_errors=True)
        starts: dict[System, Callable[[], Awaitable[None]]] = {
            System.KAFKA: self._start_broker,
            System.CONTENT_SERVER: self._start_content_server,
            System.ENTRA: self._start_entra,
            System.DATAVERSE: self._start_dataverse,
            System.FINANCE: self._start_finance,
        }
        for system, start in starts.items():
            if self.choice.starts(system):
                await self._listening(system, start)
        if self.keeper is not None:
            self.keeper.keep(self._takes, self._requests)

    def _requests(self) -> int:
        """How many requests are over: what they changed is to be kept."""
        systems = (self.dataverse, self.finance, self.content_server)
        return sum(system.faults.ended for system in systems if system is not None)

    async def _listening(self, system: System, start: Callable[[], Awaitable[None]]) -> None:
        try:
            await start()
        except OSError as error:
            port = self.choice.port(system)
            raise CannotStart(
                f"{TITLES[system]} cannot listen on port {port} ({error.strerror or error}): does "
                f"another sandbox run? Choose another port, or 0 for a free one."
            ) from error

    async def _start_broker(self) -> None:
        data = None if self.choice.data is None else self.choice.data / "kafka"
        broker = EmbeddedBroker(port=self.choice.port(System.KAFKA), data=data)
        self.broker = await self._stack.enter_async_context(broker)
        await _create_topics(broker.bootstrap)

    async def _start_entra(self) -> None:
        ca = LocalCa(self.choice.authority_folder)
        clients = [company.SERVICE, company.DEVELOPER]
        entra = EntraSimulator(TENANT, clients, port=self.choice.port(System.ENTRA), ca=ca)
        self.entra = await self._stack.enter_async_context(entra)

    def _trust(self) -> TokenTrust:
        """Who vouches for the callers of Dynamics."""
        if self.entra is not None:
            return self.entra
        assert self.choice.entra is not None
        certificates = self.choice.authority_file
        if not certificates.is_file():
            raise CannotStart(
                f"There is no {certificates}: give the authority of {self.choice.entra} with "
                "--entra-ca, the file that it named when it started."
            )
        return RemoteKeys(self.choice.entra, TENANT, ca_path=str(certificates))

    async def _start_content_server(self) -> None:
        server = ContentServerSimulator(
            self.choice.seed,
            default_definition(self.choice.users),
            port=self.choice.port(System.CONTENT_SERVER),
            kept=self._resumed(ecm_keeping.PART, ecm_keeping.resumed),
        )
        if self.bootstrap is not None:
            relay = EcmRelay(server, self.bootstrap, ECM_TOPIC)
            await self._stack.enter_async_context(relay)
            self._stack.push_async_callback(_within, relay.drained)
        self.content_server = await self._stack.enter_async_context(server)
        self._takes[ecm_keeping.PART] = lambda: ecm_keeping.kept(server.store)

    async def _start_dataverse(self) -> None:
        state = self._resumed(dataverse_keeping.PART, dataverse_keeping.resumed)
        dataverse = DataverseSimulator(
            self._trust(),
            application_users=company.APPLICATION_USERS,
            port=self.choice.port(System.DATAVERSE),
            state=state,
        )
        if state is None:
            company.settle(dataverse, default_definition(self.choice.users).users)
        self.dataverse = await self._stack.enter_async_context(dataverse)
        if self.bootstrap is not None:
            await self._push(dataverse, self.bootstrap)
        self._takes[dataverse_keeping.PART] = lambda: dataverse.state

    async def _push(self, dataverse: DataverseSimulator, bootstrap: str) -> None:
        """Tell the broker of each commit, of the last one too before it ends."""
        endpoint = ServiceEndpoint(
            dataverse, bootstrap, CHANGES_TOPIC, partitions=SOURCE_PARTITIONS
        )
        await self._stack.enter_async_context(endpoint)
        self._stack.push_async_callback(_within, endpoint.drained)
        self._stack.push_async_callback(dataverse.stop)

    async def _start_finance(self) -> None:
        finance = FinanceSimulator(
            self._trust(),
            application_users=company.APPLICATION_USERS,
            port=self.choice.port(System.FINANCE),
            state=self._resumed(finance_keeping.PART, finance_keeping.resumed),
        )
        if self.bootstrap is not None:
            outbox = await self._stack.enter_async_context(Outbox(self.bootstrap, CHANGES_TOPIC))
            self._stack.push_async_callback(_within, outbox.drained)
            finance.on_change(BusinessEvents(outbox.put, finance.state))
            finance.on_change(DataEvents(outbox.put))
        self.finance = await self._stack.enter_async_context(finance)
        self._takes[finance_keeping.PART] = lambda: finance.state

    def _resumed(self, part: Part, resumed: Callable[[Any], Any]) -> Any:
        """What was kept of a system, as it goes on; None for a new one."""
        kept = None if self.keeper is None else self.keeper.read(part)
        return None if kept is None else resumed(kept)


async def _within(drained: Callable[[], Awaitable[None]]) -> None:
    """Wait a moment for what has happened to be told; a broker that is away is not waited for."""
    draining = asyncio.ensure_future(drained())
    try:
        for _ in range(_DRAIN_LOOKS):
            await asyncio.wait({draining}, timeout=_LOOK_SECONDS)
            if draining.done():
                return draining.result()
    finally:
        draining.cancel()


async def _create_topics(bootstrap: str) -> None:
    """The topics of the producers that the simulated systems stand in for."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        missing = {CHANGES_TOPIC, ECM_TOPIC} - set(await admin.list_topics())
        await admin.create_topics([NewTopic(name, SOURCE_PARTITIONS, 1) for name in missing])
    finally:
        await admin.close()
