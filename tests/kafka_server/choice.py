"""Which broker the tests talk to: the meaning of ``--broker``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from tests.kafka_server.apache import ApacheKafka, free_ports
from tests.kafka_server.container import KafkaInDocker, docker_answers
from tests.kafka_server.embedded import EmbeddedKafka
from tests.kafka_server.process import BrokerUnavailable
from tests.kafka_server.ready import wait_until_answers

ANSWER_SECONDS = 15.0
CHOICES = "embedded, kafka or HOST:PORT"
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:,\s]+):\d{1,5}(,([^:,\s]+):\d{1,5})*")


class Broker(Protocol):
    """A broker that a test run may own."""

    bootstrap: str
    description: str

    def open(self) -> None:
        """Start; returns when clients and groups can use it. Raises BrokerUnavailable."""

    def close(self) -> None:
        """End, and leave nothing behind."""


@runtime_checkable
class Restartable(Protocol):
    """A broker that can go away for a while, and comes back at its address with its data."""

    def stop(self) -> None:
        """End it as an operator would."""

    def start(self) -> None:
        """Start it again; returns when clients and groups can use it. Raises BrokerUnavailable."""


class ForeignBroker:
    """A broker that somebody else runs: only looked for, never ended."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.description = "a broker that runs already"

    def open(self) -> None:
        """Make sure that it answers."""
        wait_until_answers(self.bootstrap, ANSWER_SECONDS)

    def close(self) -> None:
        """Leave it as it is."""


def chosen_broker(choice: str) -> Broker:
    """The broker that ``choice`` names, not yet started. Raises BrokerUnavailable."""
    if choice == "embedded":
        return EmbeddedKafka()
    if choice == "kafka":
        return KafkaInDocker(free_ports(1)[0]) if docker_answers() else ApacheKafka()
    if _ADDRESS.fullmatch(choice):
        return ForeignBroker(choice)
    raise BrokerUnavailable(f"--broker={choice} names no broker: give {CHOICES}")


@contextmanager
def running_broker(choice: str, say: Callable[[str], None]) -> Iterator[Broker]:
    """Start the chosen broker, tell by ``say`` how long that took, and end it afterwards."""
    began = time.monotonic()
    broker = chosen_broker(choice)
    try:
        broker.open()
        seconds = time.monotonic() - began
        say(f"{broker.description} answers at {broker.bootstrap} after {seconds:.1f} s")
        yield broker
    finally:
        broker.close()
