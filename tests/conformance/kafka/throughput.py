"""``python -m tests.conformance.kafka.throughput [--mb 300] [--broker embedded|kafka|HOST:PORT]``

Produces and consumes messages of 2 KB through librdkafka, in this process, against a broker in
another one, and prints MB/s by the clock and, for a broker on this machine, MB for each second of
its processor. Where there are two cores, such a broker is held to one of them and the clients to
the others. Batches are librdkafka's own; ``--batch-bytes 16384`` makes them as small as other
clients'. At the end the same bytes go through bare asyncio streams, for comparison; `--broker`
given twice compares two brokers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka_server.choice import CHOICES, running_broker

MESSAGE_BYTES = 2048
PARTITIONS = 4
SECONDS = 60
LIBRDKAFKA_BATCH_BYTES = 1_000_000
_LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""


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
            told += f", {self.on_one_core:6.0f} MB for each second of the processor"
        return told


def measure(work: Callable[[], None], megabytes: float, broker: int | None) -> Speed:
    """Time some work; `broker` is the broker's process id, where that is known."""
    before, began = _processor_seconds(broker), time.monotonic()
    work()
    seconds, after = time.monotonic() - began, _processor_seconds(broker)
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
    broker = listener(address)
    try:
        with apart(broker):
            written = measure(
                lambda: produce(address, topic, count, batch_bytes), megabytes, broker
            )
            read = measure(lambda: consume(address, topic, count), megabytes, broker)
    finally:
        for gone in admin.delete_topics([topic]).values():
            gone.result(SECONDS)
    return written, read


def bare_sockets(megabytes: float) -> Speed:
    """Send chunks from one asyncio stream to another, both in this process."""
    began, used = time.monotonic(), time.process_time()
    asyncio.run(_through_bare_sockets(round(megabytes)))
    return Speed(megabytes, time.monotonic() - began, time.process_time() - used)


async def _through_bare_sockets(megabytes: int) -> None:
    chunk, done = bytes(1_000_000), asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(megabytes):
            await reader.readexactly(len(chunk))
        writer.close()
        done.set()

    async with await asyncio.start_server(receive, "127.0.0.1", 0, limit=4 * 2**20) as server:
        host, port = server.sockets[0].getsockname()[:2]
        _, writer = await asyncio.open_connection(host, port)
        for _ in range(megabytes):
            writer.write(chunk)
            await writer.drain()
        await done.wait()
        writer.close()


@contextmanager
def apart(broker: int | None) -> Iterator[None]:
    """Hold the broker's process to one core, and this thread and those it starts to the others;
    where there is one core only, or no such process is known, nothing is held."""
    cores = sorted(os.sched_getaffinity(0)) if broker is not None else []
    if broker is None or len(cores) < 2:
        yield
        return
    for thread in Path(f"/proc/{broker}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores[:1])
    os.sched_setaffinity(0, cores[1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def listener(address: str) -> int | None:
    """The process that listens at a port of this machine, None where /proc does not tell."""
    wanted = f":{int(address.rpartition(':')[2]):04X}"
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[1].endswith(wanted) and fields[3] == _LISTENING:
                return _owner(f"socket:[{fields[9]}]")
    return None


def _owner(handle: str) -> int | None:
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if descriptor.readlink().name == handle:
                return int(descriptor.parts[2])
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return None


def _processor_seconds(process: int | None) -> float | None:
    if process is None:
        return None
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(process: int) -> float:
    """The most memory (resident, in MB) that a process ever had."""
    status = Path(f"/proc/{process}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6


def main(arguments: list[str]) -> int:
    """Measure and print; the exit code is 0."""
    parser = argparse.ArgumentParser(description="How fast a broker takes and gives 2 KB messages.")
    parser.add_argument("--broker", action="append", help=f"{CHOICES} (default: embedded)")
    parser.add_argument("--mb", type=float, default=300, help="how much goes through")
    parser.add_argument("--batch-bytes", type=int, default=LIBRDKAFKA_BATCH_BYTES)
    options = parser.parse_args(arguments)
    for choice in options.broker or ["embedded"]:
        with running_broker(choice, print) as broker:
            written, read = run(broker.bootstrap, options.mb, options.batch_bytes)
            print(f"produced {written}\nconsumed {read}")
            if (process := listener(broker.bootstrap)) is not None:
                print(f"the broker's process had up to {most_memory(process):.0f} MB of memory")
    print(f"bare sockets {bare_sockets(options.mb)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
