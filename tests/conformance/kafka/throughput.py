"""``python -m tests.conformance.kafka.throughput [--mb 300] [--broker embedded|kafka|HOST:PORT]``

Produces and consumes messages of 2 KB through librdkafka, in this process, against a broker in
another one, and prints MB/s by the clock and, for a broker on this machine, MB for each second of
its processor. Batches are librdkafka's own; ``--batch-bytes 16384`` makes them as small as other
clients'.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka_server.choice import CHOICES, running_broker

MESSAGE_BYTES = 2048
PARTITIONS = 4
SECONDS = 60
LIBRDKAFKA_BATCH_BYTES = 1_000_000


@dataclass(frozen=True)
class Speed:
    """What went through in a time; `processor` is the broker's own seconds, None if unknown."""

    megabytes: float
    seconds: float
    processor: float | None

    @property
    def rate(self) -> float:
        """MB/s by the clock."""
        return self.megabytes / self.seconds

    @property
    def on_one_core(self) -> float:
        """MB/s that the broker would reach with a core of its own."""
        return self.megabytes / max(self.processor or self.seconds, 0.01)

    def __str__(self) -> str:
        told = f"{self.rate:6.0f} MB/s by the clock"
        if self.processor is not None:
            told += f", {self.on_one_core:6.0f} MB for each second of the broker's processor"
        return told


def measure(work: Callable[[], None], megabytes: float, address: str) -> Speed:
    """Time some work."""
    before, began = processor_seconds(address), time.monotonic()
    work()
    seconds, after = time.monotonic() - began, processor_seconds(address)
    used = None if before is None or after is None else after - before
    return Speed(megabytes, seconds, used)


def produce(address: str, topic: str, count: int, batch_bytes: int) -> None:
    """Send messages round the partitions, and wait until all are acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": address,
            "linger.ms": 5,
            "batch.size": batch_bytes,
            "queue.buffering.max.kbytes": 200_000,
            "acks": "all",
        }
    )
    value = os.urandom(MESSAGE_BYTES)
    for number in range(count):
        while True:
            try:
                producer.produce(topic, value, partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 100 == 0:
            producer.poll(0)
    assert producer.flush(SECONDS) == 0, "not all messages were acknowledged"


def consume(address: str, topic: str, count: int) -> None:
    """Read all messages from the beginning."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": topic,
            "enable.auto.commit": False,
            "queued.max.messages.kbytes": 200_000,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, part, 0) for part in range(PARTITIONS)])
        left = count
        while left:
            messages = consumer.consume(min(left, 5_000), SECONDS)
            assert messages, "no more messages came"
            left -= len(messages)
    finally:
        consumer.close()


def run(address: str, megabytes: float, batch_bytes: int) -> tuple[Speed, Speed]:
    """Produce and consume; the two speeds."""
    topic = f"throughput-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        made.result(SECONDS)
    count = round(megabytes * 1e6 / MESSAGE_BYTES)
    try:
        written = measure(lambda: produce(address, topic, count, batch_bytes), megabytes, address)
        read = measure(lambda: consume(address, topic, count), megabytes, address)
    finally:
        for gone in admin.delete_topics([topic]).values():
            gone.result(SECONDS)
    return written, read


def processor_seconds(address: str) -> float | None:
    """The processor time of whoever listens at a port of this machine, None if it is not seen."""
    wanted = f":{int(address.rpartition(':')[2]):04X}"
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == "0A":
                return _of_owner(f"socket:[{fields[9]}]")
    return None


def _of_owner(handle: str) -> float | None:
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.readlink().name != handle:
                continue
            stat = (descriptor.parents[1] / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return None


def main(arguments: list[str]) -> int:
    """Measure and print; the exit code is 0."""
    parser = argparse.ArgumentParser(description="How fast a broker takes and gives 2 KB messages.")
    parser.add_argument("--broker", default="embedded", help=CHOICES)
    parser.add_argument("--mb", type=float, default=300, help="how much goes through")
    parser.add_argument("--batch-bytes", type=int, default=LIBRDKAFKA_BATCH_BYTES)
    options = parser.parse_args(arguments)
    with running_broker(options.broker, print) as broker:
        written, read = run(broker.bootstrap, options.mb, options.batch_bytes)
    print(f"produced {written}\nconsumed {read}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
