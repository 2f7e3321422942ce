"""A bad day: faults on every system while the history plays, set as anybody would, over HTTP.

The switches are those of `app.sandbox.switches`; the oracle does not know of them, because nothing
of what has to be true at the end depends on the weather.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx

from app.demo.stage import Stage
from app.sandbox.choice import System
from app.sandbox.faults import ADMIN_PATH
from app.sandbox.kafka.admin import admin_app
from app.sandbox.switches import bad_day
from app.serving import ServedApp

_OUTAGE: Mapping[str, Any] = {"kind": "outage"}
_OUTAGE_SECONDS = 3.0
_UNASKED_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_MIDDLE: Mapping[System, tuple[Mapping[str, Any], ...]] = {
    System.ENTRA: ({"kind": "revoke_tokens"},),
    System.DATAVERSE: (_OUTAGE,),
    System.FINANCE: (_OUTAGE,),
    System.CONTENT_SERVER: ({"kind": "expire_all_tokens"}, _OUTAGE),
    System.KAFKA: ({"kind": "restart", "seconds": 1.0},),
}
"""What comes in addition when half of the history has been played."""


class BadDay:
    """The faults of the systems of a stage, by their admin addresses."""

    def __init__(self, client: httpx.AsyncClient, addresses: Mapping[System, str]) -> None:
        self._client = client
        self._addresses = addresses
        self._struck_before: dict[System, int] = {}

    async def begin(self) -> None:
        """Let everything go wrong now and then from now on."""
        for system in self._addresses:
            await self._set(system, bad_day(system))

    async def worsen(self) -> None:
        """No sign-in is good any more, and outages, which last until `recover`."""
        for system in self._addresses:
            self._struck_before[system] = await self._outages(system)
            await self._set(system, list(_MIDDLE[system]))

    async def recover(self) -> None:
        """End each outage a while after the first request that met it.

        By the clock alone, a slow machine could sleep through an outage and prove nothing. A
        system that nobody asks anything of is up again after a minute.
        """
        out = [system for system in self._addresses if _OUTAGE in _MIDDLE[system]]
        await asyncio.gather(*map(self._end_outage, out))

    async def end(self) -> dict[System, dict[str, int]]:
        """Clear all faults; how often each kind has struck, by system."""
        struck = {}
        for system, address in self._addresses.items():
            answer = await self._client.delete(address)
            struck[system] = _struck(answer)
        return struck

    async def _end_outage(self, system: System) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_UNASKED_SECONDS):
                await self._until_met(system)
                await asyncio.sleep(_OUTAGE_SECONDS)
        _struck(await self._client.delete(self._addresses[system], params={"kind": "outage"}))

    async def _until_met(self, system: System) -> None:
        while await self._outages(system) == self._struck_before[system]:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)

    async def _outages(self, system: System) -> int:
        return _struck(await self._client.get(self._addresses[system])).get("outage", 0)

    async def _set(self, system: System, faults: list[Any]) -> None:
        answer = await self._client.post(self._addresses[system], json=faults)
        answer.raise_for_status()


def _struck(answer: httpx.Response) -> dict[str, int]:
    answer.raise_for_status()
    return dict(answer.json()["struck"])


@asynccontextmanager
async def bad_day_on(stage: Stage) -> AsyncIterator[BadDay]:
    """The switches of a stage; all are off afterwards. Another's broker is left in peace."""
    addresses = {
        System.ENTRA: stage.entra.url,
        System.DATAVERSE: stage.dataverse.url,
        System.FINANCE: stage.finance.url,
        System.CONTENT_SERVER: stage.content_server.base_url,
    }
    trust: ssl.SSLContext = stage.entra.client_context()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(verify=trust, timeout=30))
        if stage.broker is not None:
            broker = await stack.enter_async_context(ServedApp(admin_app(stage.broker)))
            addresses[System.KAFKA] = broker.url
        admin = {system: f"{url}{ADMIN_PATH}" for system, url in addresses.items()}
        day = BadDay(client, admin)
        try:
            yield day
        finally:
            await day.end()


def told(struck: Mapping[System, Mapping[str, int]]) -> str:
    """What struck, in a line for each system."""
    lines = []
    for system, kinds in sorted(struck.items()):
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        lines.append(f"  {system:15} {counts or 'nothing'}")
    return "\n".join(lines)
