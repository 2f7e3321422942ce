"""How the tests' Apache Kafka differs from a fresh one: one node, quick groups, small memory."""

from __future__ import annotations

from collections.abc import Mapping

NODE = 1
CLUSTER_ID = "ZG92ZXRhaWwtdGVzdHMtMQ"

BROKER_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": str(NODE),
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # One node holds every internal topic; few partitions, as each one costs a start its time.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A group's first member starts at once, and a test may let a member expire in a second.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # As in production: a topic that nobody created is an error (k8s/, docker-compose.yml).
    "auto.create.topics.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    # Retention and compaction look at the logs while a test can wait for it.
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "500",
}


def listener_settings(client: str, controller: str, advertised: str) -> dict[str, str]:
    """Where the broker listens: ``host:port`` for clients and for its own controller."""
    return {
        "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertised}",
        "controller.quorum.voters": f"{NODE}@{controller}",
    }


def as_properties(settings: Mapping[str, str]) -> str:
    """The settings as a server.properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as the apache/kafka image reads them: KAFKA_NODE_ID for node.id."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()}
