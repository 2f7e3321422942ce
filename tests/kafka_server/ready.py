"""Waiting for a broker: it answers when a client can connect and a group finds its coordinator."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.kafka_server.process import BrokerUnavailable

PROBE_GROUP = "dovetail-tests-probe"
_PAUSE_SECONDS = 0.1


def _running() -> str | None:
    return None


def wait_until_answers(
    bootstrap: str, timeout: float, why_it_ended: Callable[[], str | None] = _running
) -> None:
    """Return when the broker at ``bootstrap`` (host:port) answers.

    ``timeout`` is in seconds; ``why_it_ended`` tells early that waiting is in vain. Raises
    BrokerUnavailable. Runs its own event loop in a thread of its own, so that it can be called
    wherever pytest is.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _until_answers(bootstrap, timeout, why_it_ended)).result()


async def _until_answers(
    bootstrap: str, timeout: float, why_it_ended: Callable[[], str | None]
) -> None:
    clock = asyncio.get_running_loop()
    deadline = clock.time() + timeout
    # Each failed try would log a traceback, and failing is what waiting consists of.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        while (refusal := await _refusal(bootstrap)) is not None:
            if (ended := why_it_ended()) is not None:
                raise BrokerUnavailable(ended)
            if clock.time() > deadline:
                raise BrokerUnavailable(
                    f"the broker at {bootstrap} did not answer within {timeout:g} s: {refusal!r}"
                )
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        logging.getLogger("aiokafka").setLevel(logging.NOTSET)


async def _refusal(bootstrap: str) -> Exception | None:
    """Ask once; the coordinator too, as the first group on a fresh broker would wait for it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await admin.start()
        await admin.find_coordinator(PROBE_GROUP)
    except (KafkaError, OSError, AssertionError) as refusal:
        return refusal
    finally:
        await admin.close()
    return None
