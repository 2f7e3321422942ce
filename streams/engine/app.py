"""The Faust app, with our extension points in it: transport, table manager, stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from faust.streams import Stream
from faust.tables.manager import TableManager

from streams.engine.addresses import EngineAssignor
from streams.engine.consumer import EngineConsumer, EngineTransport
from streams.engine.host import Host, HostedApp
from streams.engine.publisher import EngineProducer
from streams.engine.records import TopicPartition
from streams.engine.settings import EngineSettings


class Batch(Protocol):
    """What an agent's stream yields: records of one partition with everything to handle them."""

    def run(self) -> None:
        """Hand the records to the stage; checkpoints follow in the background."""
        ...


class BatchStream(Stream[Any]):
    """An agent's stream: yields batches instead of events. Nothing is acknowledged by iterating."""

    app: EngineApp

    def __aiter__(self) -> AsyncIterator[Batch]:
        return self._batches()

    async def _batches(self) -> AsyncIterator[Batch]:
        await self.maybe_start()
        inbox = self.app.engine.inbox(self.prefix)
        while not self.should_stop:
            yield await inbox.next_batch()


class EngineTableManager(TableManager):
    """Tells the engine which partitions it has; Faust's own tables and recovery stay unused."""

    app: EngineApp

    async def on_start(self) -> None:
        """Create topics that are missing; only then may the consumer subscribe."""
        self._tables_finalized.set()
        await self.app.engine.prepare()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        """Let go of every partition."""
        await self.app._fetcher.stop()
        await self.app.engine.partitions.close()

    def on_rebalance_start(self) -> None:
        """Note that the group rebalances. Faust calls this in the consumer thread."""
        super().on_rebalance_start()
        self.app.engine.board.phase = "rebalancing"

    def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Take no new batches; ``EngineConsumer.wait_empty`` does the rest."""
        self.app.engine.partitions.stop_reading()

    async def on_rebalance(
        self,
        assigned: set[Any],
        revoked: set[Any],
        newly_assigned: set[Any],
        generation_id: int = 0,
    ) -> None:
        """Begin with the assigned partitions, in the background: the group must not wait."""
        if self.app.should_stop:
            return
        places = frozenset(TopicPartition(*place) for place in assigned)
        self.app.engine.partitions.begin(places, generation_id)
        self.app.flow_control.resume()
        self.app.consumer.resume_flow()
        await self.app._fetcher.maybe_start()
        self.on_actives_ready()
        self.on_standbys_ready()

    async def wait_until_recovery_completed(self) -> bool:
        """Wait until this worker is ready for the first time; True when it stopped instead."""
        stopped = await self.wait_for_stopped(self.app.engine.ready.wait())
        return bool(stopped)


class EngineApp(HostedApp):
    """A Faust app that belongs to an ``Engine``."""

    consumer: EngineConsumer
    producer: EngineProducer
    assignor: EngineAssignor

    def __init__(self, engine: Host, settings: EngineSettings) -> None:
        self.engine = engine
        super().__init__(
            settings.app_id,
            broker=[f"kafka://{address}" for address in settings.bootstrap],
            datadir=settings.data_directory,
            autodiscover=False,
            broker_request_timeout=settings.request_timeout_seconds,
            broker_session_timeout=settings.session_timeout_seconds,
            broker_heartbeat_interval=settings.heartbeat_interval_seconds,
            broker_rebalance_timeout=settings.rebalance_timeout_seconds,
            broker_max_poll_records=settings.fetch_max_records,
            broker_max_poll_interval=settings.max_poll_interval_seconds,
            consumer_group_instance_id=settings.instance_id,
            table_standby_replicas=0,
            topic_disable_leader=True,
            web_enabled=False,
            web_tables_enabled=False,
            Stream=BatchStream,
            TableManager=EngineTableManager,
            PartitionAssignor=EngineAssignor,
            canonical_url=settings.advertised_url or None,
        )

    async def on_first_start(self) -> None:
        """Make the data directory, with its parents."""
        self.conf.datadir.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()

    async def on_start(self) -> None:
        """Begin to show signs of life at once: brokers may be down, recovery may take long."""
        await super().on_start()
        self.add_future(self.engine.keep_status())

    async def on_stop(self) -> None:
        """Stop in order. What goes wrong on the way must not leave the consumer thread behind."""
        try:
            await super().on_stop()
        except Exception as error:
            self.engine.halt(f"Stopping failed: {error!r}", error)

    def _new_transport(self) -> EngineTransport:
        return EngineTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> EngineTransport:
        return EngineTransport(self.conf.broker_producer, self)
