"""Listening: one port on every address of a name, and a clear word when it is taken."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from ipaddress import IPv6Address

_TRIES = 5

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


class AddressTaken(OSError):
    """Somebody else listens at the address already."""


def address(host: str, port: int) -> str:
    """The address for clients, ``host:port``; an IPv6 address is put in brackets."""
    try:
        return f"[{IPv6Address(host)}]:{port}"
    except ValueError:
        return f"{host}:{port}"


async def listen(accept: Accept, host: str, port: int, read_ahead_bytes: int) -> asyncio.Server:
    """Listen on all addresses of `host`, on the same port: with `port` 0 a free one.

    Raises AddressTaken, and OSError for a host that is not this machine's.
    """
    for attempt in range(1, _TRIES + 1):
        server = await _listen(accept, host, port, read_ahead_bytes)
        ports = {socket.getsockname()[1] for socket in server.sockets}
        if len(ports) == 1:
            return server
        # A name like localhost has an IPv4 and an IPv6 address, and each was given a free port.
        server.close()
        try:
            return await _listen(accept, host, min(ports), read_ahead_bytes)
        except AddressTaken:
            if attempt == _TRIES:
                raise
    raise AssertionError("the last try has returned or raised")


async def _listen(accept: Accept, host: str, port: int, read_ahead_bytes: int) -> asyncio.Server:
    try:
        return await asyncio.start_server(accept, host, port, limit=read_ahead_bytes)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise AddressTaken(
            errno.EADDRINUSE,
            f"{address(host, port)} is in use by another program: stop that one, or give another "
            "port (0 for a free one)",
        ) from error
