"""``python -m tests.kafka_server``: get ready whatever ``--broker=kafka`` needs, and say what.

Bringing Kafka's jars takes a minute on a new machine, which no test's time limit should hold.
Exit code 0: Apache Kafka can be started here. 5: it cannot, and the line printed says why.
"""

from __future__ import annotations

import sys

from tests.kafka_server.container import docker_answers
from tests.kafka_server.jars import java, kafka_jars, kafka_version
from tests.kafka_server.process import BrokerUnavailable

UNAVAILABLE = 5


def main() -> int:
    """Answer with the exit code that the module describes."""
    version = kafka_version()
    if docker_answers():
        print(f"Apache Kafka {version} will run from its image: a Docker daemon answers.")
        return 0
    try:
        java()
        jars = kafka_jars()
    except BrokerUnavailable as reason:
        print(f"Apache Kafka {version} cannot run here: {reason}")
        return UNAVAILABLE
    print(f"Apache Kafka {version} will run from its jars in {jars.parent.name}/{jars.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
