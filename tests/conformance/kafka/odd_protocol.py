"""Requests that are odd as such: versions and APIs that are not there, and bytes that are none."""

from __future__ import annotations

import asyncio
import struct

from tests.conformance.kafka.observing import HUNG_UP, Observer, codes, odd
from tests.sandbox.kafka.raw import raw_client, types

HEADER = struct.Struct(">hhih")


async def frame(o: Observer, what: str, data: bytes) -> None:
    """Send a frame and note whether the broker hangs up; else how long its answer is."""
    async with raw_client(o.address) as raw:
        raw.send_frame(data)
        try:
            answer = await raw.frame()
        except (asyncio.IncompleteReadError, ConnectionError):
            o.note(what, HUNG_UP)
        else:
            o.note(what, answer[:6].hex())


def header(api_key: int, version: int) -> bytes:
    """A request header with correlation id 7 and no client id."""
    return HEADER.pack(api_key, version, 7, -1)


@odd
async def send_what_is_no_request(o: Observer) -> None:
    await frame(o, "an API that nobody has", header(999, 0))
    await frame(o, "a negative API", header(-5, 0))
    await frame(o, "Produce 2", header(0, 2) + bytes(20))
    await frame(o, "Produce 99", header(0, 99) + bytes(20))
    await frame(o, "Fetch 3", header(1, 3) + bytes(20))
    await frame(o, "Metadata 99", header(3, 99) + bytes(20))
    await frame(o, "an API between brokers", header(4, 1) + bytes(20))
    await frame(o, "half a header", b"\x00\x03")
    await frame(o, "a body that ends too soon", header(3, 1) + b"\x00\x00\x00\x05")
    await frame(o, "noise", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await frame(o, "nothing", b"")
    await frame(o, "ApiVersions 99", header(18, 99) + b"\0")


@odd
async def ask_for_versions(o: Observer) -> None:
    for version in (0, 1, 2):
        t = types(18, version)
        answer = await o.raw.ask(t.ApiVersionsRequest())
        o.note(f"version {version}", codes(answer))
    t = types(18, 3)
    for what, name, number in (
        ("a good client", "client", "1.0"),
        ("a client without a name", "", "1.0"),
        ("a client with an odd name", "a b", "1.0"),
        ("a client without a version", "client", ""),
    ):
        request = t.ApiVersionsRequest(client_software_name=name, client_software_version=number)
        await o.codes(what, request)
