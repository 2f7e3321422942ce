"""Connections: requests in, answers out, in order per connection.

A connection's next request is taken when the one before is answered, as Apache Kafka does; a Fetch
that waits for records therefore holds its own connection and no other.
"""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from typing import Any

from kio.schema.errors import ErrorCode

from app.sandbox.kafka.apis import API_VERSIONS, API_VERSIONS_RANGE, APIS
from app.sandbox.kafka.context import Broker, Client, HangUp
from app.sandbox.kafka.wire import (
    Malformed,
    answers,
    api_and_version,
    correlation_id,
    is_flexible,
    read_body,
    read_frame,
    write_response,
)

logger = logging.getLogger(__name__)

_LENGTH = struct.Struct(">i")
_SOFTWARE_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")
READ_AHEAD_BYTES = 4 * 2**20
"""How much a connection may send ahead of what is being handled."""
_LATE_SECONDS = 0.2
"""How late a timer is when the loop must have been held up."""


class _Idle(Exception):
    """No request came for longer than a connection may be idle."""


class Connection:
    """One client's connection."""

    def __init__(
        self,
        broker: Broker,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._broker = broker
        self._faults = broker.faults
        self._reader = reader
        self._writer = writer
        self._host = str((writer.get_extra_info("peername") or ("unknown",))[0])

    async def serve(self) -> None:
        """Answer requests until the client goes, sends what is no request, or is dropped."""
        try:
            while await self._serve_one():
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except _Idle:
            logger.info("connection of %s closed: nothing came for long", self._host)
        except HangUp as error:
            logger.warning("connection of %s closed: %s", self._host, error)
        except Exception:
            # A fault of ours: the client is disconnected and retries, the others go on.
            logger.exception("connection of %s closed by an error in the broker", self._host)
        finally:
            self._writer.close()

    async def _serve_one(self) -> bool:
        (size,) = _LENGTH.unpack(await self._next_length())
        if not 0 < size <= self._broker.settings.request_max_bytes:
            raise HangUp(f"a request of {size} bytes, is this a Kafka client?")
        data = await self._reader.readexactly(size)
        try:
            api_key, version = api_and_version(data)
            if not await self._faults.before(api_key):
                return False
            response = await self._handle(api_key, version, data)
            correlation = correlation_id(data)
        except Malformed as error:
            raise HangUp(f"malformed request: {error}") from error
        if self._faults.loses_answer(api_key):
            return False
        if response is not None:
            self._writer.writelines(write_response(correlation, response))
            await self._writer.drain()
        return True

    async def _next_length(self) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._broker.settings.connections_max_idle
            try:
                async with asyncio.timeout_at(due):
                    return await self._reader.readexactly(_LENGTH.size)
            except TimeoutError:
                # A loop that was held up may not have read what came in time: it waits anew.
                if loop.time() - due < _LATE_SECONDS:
                    raise _Idle from None

    async def _handle(self, api_key: int, version: int, data: bytes) -> Any:
        if api_key == API_VERSIONS:
            return api_versions(version, data)
        api = APIS.get(api_key)
        if api is None or not api.min_version <= version <= api.max_version:
            raise HangUp(f"API {api_key} version {version} is not served")
        frame = read_frame(data, is_flexible(api_key, version))
        request = read_body(frame)
        client = Client(frame.client_id, self._host)
        return await api.handler(self._broker, client, request, answers(api_key, version))


def api_versions(version: int, data: bytes) -> Any:
    """What is served. A version of this request that is not is answered in version 0 with an
    error and the same list, so that the client can choose again (KIP-511). The client's name is
    looked at, and not kept."""
    low, high = API_VERSIONS_RANGE
    known = low <= version <= high
    answer = answers(API_VERSIONS, version if known else 0)
    ranges = {key: (api.min_version, api.max_version) for key, api in APIS.items()}
    ranges[API_VERSIONS] = API_VERSIONS_RANGE
    error = _versions_error(version, data) if known else ErrorCode.unsupported_version
    if error is ErrorCode.invalid_request:
        ranges = {}
    return answer(
        "ApiVersionsResponse",
        error_code=error,
        api_keys=tuple(
            answer("ApiVersion", api_key=key, min_version=first, max_version=last)
            for key, (first, last) in sorted(ranges.items())
        ),
    )


def _versions_error(version: int, data: bytes) -> ErrorCode:
    request = read_body(read_frame(data, is_flexible(API_VERSIONS, version)))
    names = (
        getattr(request, "client_software_name", "any"),
        getattr(request, "client_software_version", "any"),
    )
    good = all(_SOFTWARE_NAME.fullmatch(name) for name in names)
    return ErrorCode.none if good else ErrorCode.invalid_request
