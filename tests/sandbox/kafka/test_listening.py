"""Where the broker listens: IPv6, and names with several addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient

from app.sandbox.kafka import EmbeddedBroker
from app.sandbox.kafka.listening import AddressTaken, address, listen

BOTH = ("127.0.0.1", "::1")


def has_ipv6() -> bool:
    """Whether this machine has the address ::1."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 address ::1")


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name of this machine that has an IPv4 and an IPv6 address, as localhost often has."""
    real: Callable[..., list[Any]] = socket.getaddrinfo

    def both(host: Any, *details: Any, **more: Any) -> list[Any]:
        if host != "both.test":
            return real(host, *details, **more)
        return [found for each in BOTH for found in real(each, *details, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    return "both.test"


@needs_ipv6
async def test_clients_come_by_ipv6() -> None:
    async with EmbeddedBroker(host="::1") as broker:
        assert broker.bootstrap == f"[::1]:{broker.port}"
        broker.state.create_topic("t", 1, {})
        async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
            await producer.send_and_wait("t", b"x")
        librdkafka = AdminClient({"bootstrap.servers": broker.bootstrap})
        told = await asyncio.to_thread(librdkafka.list_topics, timeout=60)
        assert list(told.topics) == ["t"]


@needs_ipv6
async def test_a_name_with_two_addresses_has_one_port_on_both(two_addresses: str) -> None:
    async with EmbeddedBroker(host=two_addresses) as broker:
        for host in BOTH:
            _, writer = await asyncio.open_connection(host, broker.port)
            writer.close()


@needs_ipv6
async def test_the_port_is_free_on_all_addresses_of_a_name(
    two_addresses: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asyncio.start_server
    holders: list[socket.socket] = []

    async def taken_meanwhile(accept: Any, host: str, port: int, **more: Any) -> asyncio.Server:
        if port and not holders:
            holders.append(socket.create_server(("127.0.0.1", port)))
        return await real(accept, host, port, **more)

    monkeypatch.setattr(asyncio, "start_server", taken_meanwhile)
    server = await listen(lambda *_: None, two_addresses, 0, 1024)
    ports = {listening.getsockname()[1] for listening in server.sockets}
    assert len(ports) == 1
    assert holders[0].getsockname()[1] not in ports
    server.close()
    holders[0].close()


async def test_a_taken_address_is_named_with_the_next_step() -> None:
    async with EmbeddedBroker() as first:
        with pytest.raises(AddressTaken, match=r"127\.0\.0\.1:\d+ is in use .* another port"):
            await EmbeddedBroker(port=first.port).start()


def test_an_ipv6_address_is_put_in_brackets() -> None:
    assert address("fd00::2", 9092) == "[fd00::2]:9092"
    assert address("kafka.test", 9092) == "kafka.test:9092"
