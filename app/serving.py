"""An ASGI application on a real socket, inside a loop that runs already: pages and simulators.

    app = Starlette(routes=[...])
    async with ServedApp(app) as served:
        ...  # requests to served.url

`ServedApp` runs an ASGI application with uvicorn inside the event loop that is already running. It
installs no signal handler and changes no logging, so it can live beside a worker, in a test or in
`dovetail demo`. `LocalCa` is a certificate authority for one run, for systems whose clients insist
on TLS. `hang_up` ends a request the way a broken network does: no answer at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

import trustme
import uvicorn
from starlette.types import ASGIApp, Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.ports import HeldPort, bound

TRANSPORT = "dovetail.transport"
"""Key in the ASGI scope's ``state`` under which a request finds its connection's transport."""

GRACE_SECONDS = 1
"""How long a stopping server waits for the requests that it is answering."""


class LocalCa:
    """A certificate authority of this machine that vouches for ``localhost`` and ``127.0.0.1``.

    ``ca_path`` is a PEM file to hand to clients (``verify=``). Without ``folder`` it is thrown away
    with `close`; with one it is kept there, its key readable by this user only, and the next
    authority on that folder is the same. Several simulators may share one authority, so that one
    bundle trusts them all.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._thrown_away: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._thrown_away = tempfile.TemporaryDirectory(prefix="dovetail-ca-")
            folder = Path(self._thrown_away.name)
        self.ca_path = folder / "ca.pem"
        self._ca = _authority(folder / "ca-key.pem", self.ca_path)

    def server_context(self, *names: str) -> ssl.SSLContext:
        """A server-side context whose certificate is valid for ``names`` and this machine."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert("localhost", "127.0.0.1", *names).configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A client-side context that trusts this authority and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def close(self) -> None:
        if self._thrown_away is not None:
            self._thrown_away.cleanup()


def _authority(key_path: Path, certificate_path: Path) -> trustme.CA:
    """The authority that these two files hold, or a new one in them."""
    try:
        return trustme.CA.from_pem(certificate_path.read_bytes(), key_path.read_bytes())
    except FileNotFoundError:
        pass
    ca = trustme.CA(organization_name="Dovetail sandbox")
    key_path.parent.mkdir(parents=True, exist_ok=True)
    # The certificate comes last and whole: a start that was cut short leaves no half authority.
    for path, pem in ((key_path, ca.private_key_pem), (certificate_path, ca.cert_pem)):
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem.bytes())
        fresh.replace(path)
    return ca


class _TransportInScope(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also lets a request reach its own connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.app_state = {**self.app_state, TRANSPORT: transport}
        super().connection_made(cast(asyncio.Transport, transport))

    def shutdown(self) -> None:
        """An idle connection is closed at once: a TLS goodbye would wait for the client's."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            super().shutdown()


class _EmbeddedServer(uvicorn.Server):
    """uvicorn as a guest: leaves signals alone, says when it listens, and stops without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.stop_asked = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        tick = 0
        while not await self.on_tick(tick):
            # Ten ticks a second is uvicorn's own rhythm: it refreshes the Date header on it.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop_asked.wait(), timeout=0.1)
            tick += 1

    def ask_to_stop(self) -> None:
        self.should_exit = True
        self.stop_asked.set()


class ServedApp:
    """An ASGI application on a loopback port, inside the running event loop.

    ``port`` 0 takes any free port; the port stays the same over `stop` and `start`, and nobody is
    given it meanwhile, so an outage and its end can be played; `close` lets it go. ``ca`` switches
    TLS on; ``url`` then starts with ``https`` and names ``localhost``. Starting raises OSError when
    a given port is taken.
    """

    def __init__(
        self, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, ca: LocalCa | None = None
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._held: HeldPort | None = None
        self._ca = ca
        self._server: _EmbeddedServer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def host(self) -> str:
        """The interface that is listened on."""
        return self._host

    @property
    def port(self) -> int:
        """The port that is listened on; known after the first `start`."""
        if self._port == 0:
            raise RuntimeError("The server has no port yet: await start() first.")
        return self._port

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        if self._ca is not None:
            return f"https://localhost:{self.port}"
        return f"http://{self._host}:{self.port}"

    async def start(self) -> None:
        """Listen; returns when connections are accepted. A second call changes nothing."""
        if self._task is not None:
            return
        server = _EmbeddedServer(self._config())
        listener = self._bind()
        task = asyncio.create_task(server.serve(sockets=[listener]), name=f"serve {self._port}")
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not server.listening.is_set():
            listening.cancel()
            listener.close()
            self._let_go()
            await task
            raise RuntimeError("The server ended before it listened; its log says why.")
        self._server, self._task = server, task

    async def stop(self, *, abort: bool = False) -> None:
        """Stop listening and close every connection.

        Requests being answered get `GRACE_SECONDS` to finish; with ``abort`` their connections are
        reset at once, as when a machine dies.
        """
        server, task = self._server, self._task
        if server is None or task is None:
            return
        self._server = self._task = None
        if abort:
            for connection in list(server.server_state.connections):
                _reset(connection.transport)
        server.ask_to_stop()
        await task

    async def close(self) -> None:
        """Stop for good: from now on the port may be somebody else's."""
        await self.stop()
        self._let_go()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None

    def _bind(self) -> socket.socket:
        self._held = self._held or HeldPort(self._host, self._port)
        self._port = self._held.port
        return bound(self._host, self._port)

    def _config(self) -> uvicorn.Config:
        ca = self._ca
        return uvicorn.Config(
            self._app,
            http=_TransportInScope,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=None if ca is None else lambda *_: ca.server_context(),
        )


async def hang_up(scope: Scope, receive: Receive, *, reset: bool = False) -> None:
    """Close the connection of this request without an answer, and return when it is closed.

    The client sees the end of the stream before any status line; with ``reset`` it sees a TCP
    reset. Whatever the request has done so far stays done. Call it from ASGI code that has not
    started its response, and return right after.
    """
    transport = cast(asyncio.Transport, _state(scope)[TRANSPORT])
    if reset:
        _reset(transport)
    else:
        transport.abort()
    # Returning before uvicorn has noticed would make it write an error page.
    while (await receive())["type"] != "http.disconnect":
        pass


def _state(scope: Scope) -> dict[str, Any]:
    state: dict[str, Any] = scope.get("state", {})
    if TRANSPORT not in state:
        raise RuntimeError("This request was not served by ServedApp: its connection is unknown.")
    return state


def _reset(transport: asyncio.Transport) -> None:
    """Close with RST instead of FIN: lingering for zero seconds is how TCP is told to."""
    peer = transport.get_extra_info("socket")
    if peer is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
