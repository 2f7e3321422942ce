"""What a request handler is given beside the request."""

from __future__ import annotations

from dataclasses import dataclass

from app.sandbox.kafka.coordinator import GroupCoordinator
from app.sandbox.kafka.faults import Faults
from app.sandbox.kafka.settings import BrokerSettings
from app.sandbox.kafka.state import BrokerState
from app.sandbox.kafka.transactions import TransactionCoordinator


class HangUp(Exception):
    """A request whose only possible answer is to close its connection, as Apache Kafka does; the
    message says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker as handlers see it; `host` and `port` are the advertised address."""

    settings: BrokerSettings
    state: BrokerState
    groups: GroupCoordinator
    transactions: TransactionCoordinator
    faults: Faults
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent the request."""

    client_id: str
    host: str
