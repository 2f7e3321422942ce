"""``python -m tests.conformance.kafka [HOST:PORT]``: take the table of odd requests anew.

Asks Apache Kafka, started for this where no address is given, and writes what it answers to
`apache_answers.json`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid

from tests.conformance.kafka import (  # noqa: F401
    odd_groups,
    odd_protocol,
    odd_records,
    odd_topics,
    odd_transactions,
)
from tests.conformance.kafka.observing import CASES, TABLE, Answers, observe
from tests.kafka_server.choice import running_broker
from tests.kafka_server.jars import kafka_version


async def take(address: str) -> dict[str, Answers]:
    """What the broker at this address answers to every case."""
    return {
        case: await observe(case, address, f"t{uuid.uuid4().hex[:8]}.") for case in sorted(CASES)
    }


def main(arguments: list[str]) -> int:
    """Take the table; the exit code is 0."""
    with running_broker(arguments[0] if arguments else "kafka", print) as broker:
        answers = asyncio.run(take(broker.bootstrap))
    table = {"broker": f"Apache Kafka {kafka_version()}", "answers": answers}
    TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
    print(f"{TABLE.name}: {len(answers)} cases, {sum(map(len, answers.values()))} answers")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
