"""A port that is held is nobody else's, and still there for who names it."""

from __future__ import annotations

import asyncio
import socket
import sys
from unittest.mock import Mock

import pytest
from starlette.applications import Starlette

from app.ports import HeldPort
from app.sandbox.kafka import EmbeddedBroker
from app.serving import ServedApp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is only remembered")


def taken(port: int) -> bool:
    """Whether somebody who shares no address is refused it, as who asks for any port is."""
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


async def test_a_held_port_answers_nobody_and_is_listened_at_by_who_names_it() -> None:
    held = HeldPort()
    assert taken(held.port)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", held.port)
    for _ in range(2):
        async with ServedApp(Starlette(), port=held.port) as served:
            _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.close()
        assert taken(held.port)
    held.release()


def test_a_port_that_was_let_go_is_anybodys() -> None:
    held = HeldPort()
    held.release()
    held.release()
    assert not taken(held.port)


async def test_a_port_at_which_somebody_listens_is_not_held() -> None:
    async with ServedApp(Starlette()) as served:
        with pytest.raises(OSError, match="in use"):
            HeldPort(port=served.port)


async def test_a_served_application_keeps_its_port_while_it_is_stopped() -> None:
    async with ServedApp(Starlette()) as served:
        await served.stop()
        assert taken(served.port)
        await served.start()
        await served.stop(abort=True)
        assert taken(served.port)
    assert not taken(served.port)


async def test_an_application_that_cannot_start_keeps_no_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = HeldPort()
    free.release()
    broken = ServedApp(Starlette(), port=free.port)
    monkeypatch.setattr("uvicorn.Config.load", Mock(side_effect=ValueError("no good")))
    with pytest.raises(ValueError, match="no good"):
        await broken.start()
    assert not taken(free.port)


async def test_a_broker_keeps_its_port_while_it_is_stopped() -> None:
    async with EmbeddedBroker() as broker:
        await broker.stop()
        assert taken(broker.port)
        await broker.start()
        await broker.stop()
        assert taken(broker.port)
    assert not taken(broker.port)
