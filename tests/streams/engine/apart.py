"""An embedded broker on a thread of its own, so that a test's event loop holds the engine alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from app.sandbox.kafka import BrokerFault, EmbeddedBroker

T = TypeVar("T")


class BrokerApart:
    """Start with ``with``; everything that is asked of it is done before the call returns."""

    def __enter__(self) -> BrokerApart:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker apart")
        self._thread.start()
        self.broker = self._run(self._made())
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def bootstrap(self) -> str:
        """Its address."""
        return self.broker.bootstrap

    def down(self) -> None:
        """Go away, and keep what there is."""
        self._run(self.broker.stop())

    def up(self) -> None:
        """Be there again, without faults."""
        self._run(self.broker.start())
        self.do(self.broker.faults.clear)

    def fail(self, kind: str, api: str | None = None) -> None:
        """Have requests of a name, or all, go wrong until ``up``."""
        self.do(self.broker.faults.add, BrokerFault(kind, times=None, api=api))

    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Call in the broker's thread."""

        async def call() -> T:
            return act(*arguments)

        return self._run(call())

    async def _made(self) -> EmbeddedBroker:
        broker = EmbeddedBroker()
        await broker.start()
        return broker

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
