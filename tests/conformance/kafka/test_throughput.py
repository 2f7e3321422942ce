"""The embedded broker is fast on one core, and keeps to the memory that it may have.

The broker is held to one core, and its speed is taken by its own processor time, which what else
runs on the machine changes little, as a share of what bare sockets reach there: slow machines are
slow at both. Measured: 880 MB for each second of its processor produced and 1,600 consumed, 220
and 930 in batches of 16 KB; bare sockets 2,100; Apache Kafka 435 and 1,580
(``python -m tests.conformance.kafka.throughput --broker embedded --broker kafka``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conformance.kafka.throughput import (
    LIBRDKAFKA_BATCH_BYTES,
    bare_sockets,
    listener,
    most_memory,
    run,
)
from tests.kafka_server.embedded import EmbeddedKafka

SMALL_BATCH_BYTES = 16_384
MOST_TIMES_SLOWER = 35
"""Than bare sockets: 60 MB/s on one core of the machine that was measured."""
ATTEMPTS = 3
"""A machine may be slow for some seconds, and just then; a broker that is slow always is."""
MEMORY_MIB = 32
NEEDED_BESIDE_MB = 48
"""For what is being read, written and spilled beside the records in memory; 20 were measured."""


@contextmanager
def own_broker(*options: str) -> Iterator[EmbeddedKafka]:
    """A broker of the test's own, in another process."""
    broker = EmbeddedKafka(*options)
    try:
        broker.open()
        if listener(broker.bootstrap) is None:
            pytest.skip("only /proc tells another process's processor time and memory")
        yield broker
    finally:
        broker.close()


@pytest.mark.parametrize(
    ("megabytes", "batch_bytes", "most_times_slower"),
    [(120, LIBRDKAFKA_BATCH_BYTES, 10), (60, SMALL_BATCH_BYTES, MOST_TIMES_SLOWER)],
    ids=["batches of librdkafka", "batches of 16 KB"],
)
def test_records_pass_at_60_megabytes_a_second_of_one_core(
    megabytes: int, batch_bytes: int, most_times_slower: float
) -> None:
    told: list[str] = []
    for _ in range(ATTEMPTS):
        bare = bare_sockets(megabytes).on_one_core
        with own_broker() as broker:
            speeds = run(broker.bootstrap, megabytes, batch_bytes)
        told.append(f"produced {speeds[0]}, consumed {speeds[1]}; bare sockets {bare:.0f}")
        print(told[-1])
        if min(speed.on_one_core for speed in speeds) * most_times_slower >= bare:
            return
    pytest.fail("\n".join(told))


def test_ten_times_the_memory_limit_pass_within_it() -> None:
    with own_broker("--memory-mib", str(MEMORY_MIB)) as broker:
        process = listener(broker.bootstrap)
        assert process is not None
        limit = MEMORY_MIB * 2**20 / 1e6
        at_first = most_memory(process)
        run(broker.bootstrap, 10 * limit, LIBRDKAFKA_BATCH_BYTES)
        grown = most_memory(process) - at_first
    print(f"grew by {grown:.0f} MB with {limit:.0f} MB for records")
    assert limit / 2 < grown < limit + NEEDED_BESIDE_MB
