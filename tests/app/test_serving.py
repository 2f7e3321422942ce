"""A served application answers on a real socket, stops cleanly and can hang up."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.serving import LocalCa, ServedApp, hang_up
from tests.patience import PATIENCE_SECONDS


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello {request.query_params.get('name', 'you')}")


class HangUp:
    """Reads the body, then closes the connection."""

    def __init__(self, *, reset: bool) -> None:
        self._reset = reset
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await Request(scope, receive).body())
        await hang_up(scope, receive, reset=self._reset)


APP = Starlette(routes=[Route("/hello", hello)])


async def test_answers_on_a_real_socket_at_its_url() -> None:
    async with ServedApp(APP) as served, httpx.AsyncClient(base_url=served.url) as client:
        answer = await client.get("/hello", params={"name": "Kumi"})
    assert (answer.status_code, answer.text) == (200, "hello Kumi")


async def test_two_applications_listen_side_by_side_on_ports_of_their_own() -> None:
    async with ServedApp(APP) as one, ServedApp(APP) as two, httpx.AsyncClient() as client:
        assert one.port != two.port
        for served in (one, two):
            assert (await client.get(f"{served.url}/hello")).status_code == 200


async def test_tls_is_trusted_through_the_authority_and_only_through_it() -> None:
    ca = LocalCa()
    async with ServedApp(APP, ca=ca) as served:
        assert served.url.startswith("https://localhost:")
        async with httpx.AsyncClient(verify=ca.client_context()) as client:
            assert (await client.get(f"{served.url}/hello")).text == "hello you"
        async with httpx.AsyncClient() as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.get(f"{served.url}/hello")
    ca.close()
    assert not ca.ca_path.exists()


async def test_signal_handlers_stay_as_they_were() -> None:
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    async with ServedApp(APP):
        during = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    assert before == during


async def test_refuses_connections_after_stop_and_comes_back_at_the_same_address() -> None:
    served = ServedApp(APP)
    await served.start()
    url = served.url
    async with httpx.AsyncClient() as client:
        await served.stop()
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/hello")
        await served.start()
        assert served.url == url
        assert (await client.get(f"{url}/hello")).status_code == 200
    await served.stop()
    await served.stop()


async def test_a_stop_lets_a_running_request_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.serving.GRACE_SECONDS", PATIENCE_SECONDS)
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> PlainTextResponse:
        entered.set()
        await release.wait()
        return PlainTextResponse("done")

    served = ServedApp(Starlette(routes=[Route("/", slow)]))
    await served.start()
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.get(served.url))
        await entered.wait()
        stopping = asyncio.create_task(served.stop())
        release.set()
        assert (await asking).text == "done"
        await stopping


async def test_an_aborting_stop_resets_a_running_request() -> None:
    entered = asyncio.Event()

    async def never(request: Request) -> PlainTextResponse:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    served = ServedApp(Starlette(routes=[Route("/", never)]))
    await served.start()
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(client.get(served.url))
        await entered.wait()
        await served.stop(abort=True)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await asking


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_hanging_up_reads_the_request_and_answers_nothing(
    tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ca = LocalCa()
    app = HangUp(reset=False)
    gc.collect()  # what earlier tests left complains now, and not during this one
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        async with (
            ServedApp(app, ca=ca if tls else None) as served,
            httpx.AsyncClient(verify=ca.client_context()) as client,
        ):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await client.post(served.url, content=b"x" * 10_000)
    assert app.bodies == [b"x" * 10_000]
    assert not caplog.records
    ca.close()


async def test_a_reset_reaches_the_client_as_a_reset() -> None:
    async with ServedApp(HangUp(reset=True)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_hanging_up_outside_a_served_application_says_so() -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(RuntimeError, match="not served by ServedApp"):
        await hang_up({"type": "http"}, receive)


def test_the_port_is_unknown_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="start"):
        _ = ServedApp(APP).url


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with ServedApp(APP) as served:
        with pytest.raises(OSError, match="in use"):
            await ServedApp(APP, port=served.port).start()
