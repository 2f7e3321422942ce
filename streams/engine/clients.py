"""How every Kafka client of the engine is configured."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError

from streams.engine.settings import EngineSettings
from streams.engine.signing_in import refusal

log = logging.getLogger(__name__)

T = TypeVar("T")

#: So often may the brokers refuse our sign-in: a changed password needs a moment to reach them all.
_REFUSALS = 3


def connection_options(settings: EngineSettings) -> dict[str, Any]:
    """Options of any aiokafka client: where the brokers are and how to sign in."""
    security = settings.security
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap),
        "client_id": settings.instance_id or settings.app_id,
        "security_protocol": security.protocol,
        "ssl_context": security.ssl_context,
    }
    if security.protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.password,
        }
    return options


async def patiently(
    attempt: Callable[[], Awaitable[T]],
    settings: EngineSettings,
    *,
    what: str,
    say: Callable[[str], None],
) -> T:
    """Repeat ``attempt`` until the brokers answer, with growing pauses, and say what it waits for.

    Only Kafka's errors that can pass and connection errors are waited out; others are raised, and
    so is Misconfigured when the brokers refused our sign-in several times.
    """
    pause, refusals = settings.retry_backoff_seconds, 0
    while True:
        try:
            result = await attempt()
        except (KafkaError, OSError, TimeoutError) as error:
            if isinstance(error, KafkaError) and not passes(error):
                raise
            text = f"{what} at {', '.join(settings.bootstrap)}: {_why(error, settings)}"
            if isinstance(error, KafkaConnectionError) and (why := await refusal(settings)):
                refusals += 1
                text = str(why)
                if refusals == _REFUSALS:
                    raise why from error
            log.warning("Waiting for %s; next try in %.1f s", text, pause)
            say(text)
            await asyncio.sleep(pause)
            pause = min(pause * 2, settings.retry_backoff_max_seconds)
        else:
            say("")
            return result


def _why(error: Exception, settings: EngineSettings) -> str:
    """What is wrong, for people: aiokafka's own text of a broker that is away is its arguments."""
    if isinstance(error, KafkaConnectionError):
        return f"no answer ({settings.security.reach_advice})"
    return repr(error)


def passes(error: KafkaError) -> bool:
    """True when the same request may succeed later."""
    return bool(error.retriable) or type(error).__name__ in _PASSING


#: Errors that aiokafka does not call retriable although they pass when the broker comes back.
_PASSING = frozenset(
    {
        "KafkaConnectionError",
        "KafkaTimeoutError",
        "NodeNotReadyError",
        "RequestTimedOutError",
        "UnknownTopicOrPartitionError",
        "StaleMetadata",
    }
)


def group_refusal(error: KafkaError, settings: EngineSettings) -> str:
    """Why the group does not take this worker, and what to look at."""
    advice = ""
    if isinstance(error, GroupAuthorizationFailedError):
        advice = "; allow our user to read with this group"
    elif settings.instance_id and "UnknownError" in repr(error):
        # 82, fenced instance id, is not known to aiokafka
        advice = "; does another worker have its instance id (DOVETAIL_INSTANCE_ID) too?"
    return f"The group {settings.app_id} refuses this worker: {error!r}{advice}"
