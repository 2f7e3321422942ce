"""An embedded Kafka broker for the demo, development and tests: `EmbeddedBroker`."""

from app.sandbox.kafka.broker import EmbeddedBroker
from app.sandbox.kafka.faults import BrokerFault
from app.sandbox.kafka.settings import BrokerSettings

__all__ = ["BrokerFault", "BrokerSettings", "EmbeddedBroker"]
