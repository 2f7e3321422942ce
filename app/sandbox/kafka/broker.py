"""The embedded broker as an object: start it, connect to `bootstrap`, stop it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType

from app.ports import HeldPort
from app.sandbox.kafka.context import Broker
from app.sandbox.kafka.coordinator import GroupCoordinator
from app.sandbox.kafka.faults import Faults
from app.sandbox.kafka.housekeeping import keep_house
from app.sandbox.kafka.listening import address, listen
from app.sandbox.kafka.offsets import CommittedOffsets
from app.sandbox.kafka.server import READ_AHEAD_BYTES, Connection
from app.sandbox.kafka.settings import BrokerSettings
from app.sandbox.kafka.state import BrokerState
from app.sandbox.kafka.transactions import TransactionCoordinator

_EVERYWHERE = ("", "0.0.0.0", "::")
"""Addresses to listen on that are none to connect to."""


class EmbeddedBroker:
    """A Kafka broker in this process, on this event loop.

    `port` 0 takes a free one and keeps it over `stop` and `start`: until the context ends nobody is
    given it. `data` is a folder that keeps topics, records, committed offsets and producer ids;
    without it they last as long as this object. Use it as an async context manager or call `start`
    and `stop`::

        async with EmbeddedBroker() as broker:
            producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)

    Raises ValueError when it listens everywhere and no `advertised_host` is given.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        data: Path | None = None,
        *,
        advertised_host: str | None = None,
        settings: BrokerSettings | None = None,
    ) -> None:
        if host in _EVERYWHERE and advertised_host is None:
            raise ValueError(
                f"clients cannot connect to {host}: give advertised_host, the name they reach it by"
            )
        self.host = host
        self.port = port
        self.settings = settings or BrokerSettings()
        self.faults = Faults(self._close_connections)
        self._advertised_host = advertised_host or host
        self._data = data
        self._state: BrokerState | None = None
        self._groups: GroupCoordinator | None = None
        self._transactions: TransactionCoordinator | None = None
        self._housekeeping: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._held: HeldPort | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def bootstrap(self) -> str:
        """The address for clients, "host:port"."""
        return address(self._advertised_host, self.port)

    @property
    def data(self) -> Path | None:
        """The folder that keeps everything, None when it lasts as long as this object."""
        return self._data

    @property
    def groups(self) -> GroupCoordinator:
        """The consumer groups. Raises RuntimeError before the first `start`."""
        if self._groups is None:
            raise RuntimeError("the broker has no groups before it is started: call start()")
        return self._groups

    @property
    def transactions(self) -> TransactionCoordinator:
        """The transactional ids. Raises RuntimeError before the first `start`."""
        if self._transactions is None:
            raise RuntimeError("the broker has no transactions before it is started: call start()")
        return self._transactions

    @property
    def state(self) -> BrokerState:
        """Topics and logs. Raises RuntimeError before the first `start`."""
        if self._state is None:
            raise RuntimeError("the broker has no state before it is started: call start()")
        return self._state

    async def start(self) -> None:
        """Open the data and listen; harmless when started already.

        Raises AddressTaken when the port is in use and DataFolderInUse when the folder is."""
        if self._server is not None:
            return
        if self._state is None or self._data is not None:
            self._state = BrokerState(self.settings, self._data)
        offsets = self._groups.offsets if self._groups and self._data is None else None
        if offsets is None:
            path = None if self._data is None else self._data / "committed-offsets.jsonl"
            offsets = CommittedOffsets(path)
        self._groups = GroupCoordinator(self.settings, offsets)
        if self._transactions is None or self._data is not None:
            path = None if self._data is None else self._data / "transactions.jsonl"
            self._transactions = TransactionCoordinator(self._state, offsets, path)
        try:
            self._server = await listen(self._accept, self.host, self.port, READ_AHEAD_BYTES)
        except OSError:
            self._close_state()
            raise
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._let_go()
        self._housekeeping = asyncio.create_task(keep_house(self._state, self._transactions))

    async def stop(self) -> None:
        """Stop listening, close all connections and the data. Harmless when not started."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        with contextlib.suppress(OSError):  # a name of this machine may be one of IPv6 alone
            self._held = HeldPort(self.host, self.port)
        tasks = list(self._connections)
        if self._housekeeping is not None:
            tasks.append(self._housekeeping)
            self._housekeeping = None
        self._close_connections()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close_state()

    def move_leader(self, topic: str, partition: int) -> int:
        """Begin the next leader epoch of a partition, which is returned: clients that believe in
        the former are told to look again. Raises KeyError when there is no such partition."""
        found = self.state.topics.get(topic)
        if found is None or found.partition(partition) is None:
            raise KeyError(f"there is no partition {partition} of a topic {topic!r}")
        return self.state.move_leader(found, partition)

    def expire_members(self, group: str, member: str | None = None) -> None:
        """End the session of a group's member, or of all, as if they had been silent for too long.
        Raises KeyError when there is no such group or member."""
        found = self.groups.find(group)
        if found is None:
            raise KeyError(f"there is no group {group!r}")
        for name in list(found.members) if member is None else [member]:
            self.groups.expire_member(group, name)

    async def __aenter__(self) -> EmbeddedBroker:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.refuses():
            writer.transport.abort()
            return
        view = Broker(
            self.settings,
            self.state,
            self.groups,
            self.transactions,
            self.faults,
            self._advertised_host,
            self.port,
        )
        serving = Connection(view, reader, writer).serve()
        task = asyncio.get_running_loop().create_task(serving)
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    def _close_connections(self) -> None:
        for writer in self._connections.values():
            writer.transport.abort()

    def _close_state(self) -> None:
        self.groups.close()
        if self._data is not None:
            self.state.close()
            self.groups.offsets.close()
            self.transactions.close()
