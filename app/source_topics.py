"""The topics of others that a worker listens to: are they there?

A topic that does not exist is no fault of a worker's, since its producers may come later; but a
name with a typo looks the same, and nothing would ever arrive. So it is told until the topic is
there; the group takes it up then by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiokafka.errors import KafkaError

from app.settings import Settings, variable
from app.settings.kafka import engine_settings
from streams.engine import Engine
from streams.engine.topics import absent_topics

log = logging.getLogger(__name__)

_LOOK_SECONDS = 15.0


async def watch(settings: Settings, engine: Engine, told: Callable[[frozenset[str]], None]) -> None:
    """From the first readiness on, tell which topics are missing, until none is."""
    await engine.ready.wait()
    status = engine.status()
    if status.ready:
        log.info("ready", extra={"partitions": len(status.assigned)})
    names = [*settings.source_topics, *settings.ecm_event_topics]
    missing: frozenset[str] = frozenset()
    while True:
        # Brokers that are away are the engine's to tell.
        with contextlib.suppress(KafkaError, OSError):
            now = await absent_topics(names, engine_settings(settings))
            _say(settings, missing, now)
            missing = now
            told(missing)
            if not missing:
                return
        await asyncio.sleep(_LOOK_SECONDS)


def _say(settings: Settings, before: frozenset[str], now: frozenset[str]) -> None:
    for topic in sorted(before - now):
        log.info("topic %s is there now", topic)
    for topic in sorted(now - before):
        name = "source_topics" if topic in settings.source_topics else "ecm_event_topics"
        log.warning(
            "topic %s does not exist, so nothing comes from it: check %s, or create it",
            topic,
            variable(name),
        )
