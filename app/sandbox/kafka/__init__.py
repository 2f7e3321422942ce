"""An embedded Kafka broker of one node, for the demo, development and tests: `EmbeddedBroker`.

It answers what aiokafka, Faust, librdkafka (confluent-kafka, kcat), kafka-python and Kafka's own
command-line tools ask: topics with their configs, idempotent and transactional producers, classic
groups with static members, committed offsets, offsets by time and by leader epoch, retention,
compaction, deleted records. What it answers is compared with Apache Kafka 4 by the same tests
(``make test-kafka``; tests/conformance/kafka).

Usable on its own, in memory or with a folder that survives a kill::

    dovetail sandbox kafka --port 9092 --data ./kafka-data
    async with EmbeddedBroker() as broker: ...  # broker.bootstrap is the address

What it does not have is not in its ApiVersions, so that clients say UnsupportedVersion: a second
node, TLS and logins, ACLs and quotas, the consumer protocol of KIP-848, share groups, the second
version of transactions (KIP-890), tiered storage, changes of its own settings while it runs.
Fetch sessions are never opened. Written records survive a kill of the process; they are not forced
to the disk, so a power cut may cost the last ones.
"""

from app.sandbox.kafka.broker import EmbeddedBroker
from app.sandbox.kafka.faults import BrokerFault
from app.sandbox.kafka.settings import BrokerSettings

__all__ = ["BrokerFault", "BrokerSettings", "EmbeddedBroker"]
