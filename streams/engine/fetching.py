"""Faust's fetcher: asks for records wherever there is room, and hands them over."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiokafka.errors import KafkaError
from faust.transport.consumer import Fetcher
from mode import Service

from streams.engine.clients import passes
from streams.engine.errors import in_words
from streams.engine.host import Assignment, HostedApp

log = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0
#: With some partitions full, those that have room must be asked for again soon.
_BRIEF_SECONDS = 0.02


class EngineFetcher(Fetcher):
    """The service that reads.

    Faust's own crashes the whole app when it is cancelled while the group rebalances, which is
    so until every table has recovered: the consumer thread ended under a worker that was stopped
    or halted then, and whoever still waited for that thread waited for ever.
    """

    app: HostedApp

    @Service.task
    async def _fetcher(self) -> None:
        partitions = self.app.engine.partitions
        try:
            while not self._is_over():
                await self._fetch_once(partitions)
        except Exception as error:
            if not self._is_over():
                self.app.engine.halt(f"Reading from Kafka failed: {in_words(error)}", error)
        finally:
            self.set_shutdown()

    def _is_over(self) -> bool:
        return bool(self.should_stop or self.app.member.should_stop)

    async def _fetch_once(self, partitions: Assignment) -> None:
        consumer = self.app.member
        epoch = partitions.epoch
        places = partitions.with_room()
        if not places:
            await consumer.touch()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(partitions.room.wait(), _IDLE_SECONDS)
            return
        settings = self.app.engine.settings
        wait = _BRIEF_SECONDS if partitions.some_without_room() else _IDLE_SECONDS
        try:
            fetched = await consumer.fetch(places, wait, settings.fetch_max_records)
        except KafkaError as error:
            if not passes(error):
                raise
            log.warning("Nothing fetched, trying again: %r", error)
            await asyncio.sleep(settings.retry_backoff_seconds)
            return
        if epoch == partitions.epoch:
            partitions.deliver(fetched)
