"""Waits that end: for tasks, for clients that close, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient

#: How long a client may take to end in order, and then to hang up.
_POLITE_SECONDS = 2.0
_RUDE_SECONDS = 1.0


async def settle(tasks: Iterable[asyncio.Task[Any]], deadline: float) -> None:
    """Wait for tasks until the loop's time is ``deadline``, then cancel them; awaits every one."""
    waiting = [task for task in tasks if not task.done()]
    if not waiting:
        return
    left = max(0.0, deadline - asyncio.get_running_loop().time())
    _, late = await asyncio.wait(waiting, timeout=left)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


async def whole(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end, however often whoever waits for it is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


async def let_go(ending: Coroutine[Any, Any, None], client: AIOKafkaClient) -> None:
    """Run the end of one of aiokafka's clients, and hang up when that takes long or fails.

    All of them wait for the answers that they still expect, a connection even for its peer to read
    what is buffered; a consumer's fails when it is cancelled while it pauses before a new attempt.
    Raises nothing of its own, takes seconds at most, and is not to be cut short.
    """
    await whole(_let_go(ending, client))


async def _let_go(ending: Coroutine[Any, Any, None], client: AIOKafkaClient) -> None:
    polite = asyncio.ensure_future(ending)
    await asyncio.wait({polite}, timeout=_POLITE_SECONDS)
    if polite.done() and not polite.cancelled() and polite.exception() is None:
        return
    polite.cancel()
    for connection in list(client._conns.values()):
        if connection._writer is not None:
            connection._writer.transport.abort()
    rude = asyncio.ensure_future(client.close())
    await asyncio.wait({polite, rude}, timeout=_RUDE_SECONDS)
    rude.cancel()
    await asyncio.gather(polite, rude, return_exceptions=True)


def take_exception(future: asyncio.Future[Any]) -> None:
    """Look at a result that nobody waits for any more, so that asyncio does not complain."""
    if not future.cancelled():
        future.exception()
