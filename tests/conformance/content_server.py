"""OpenText's client `pyxecm` at work on a simulated Content Server, for the suites beside this.

The library is synchronous: each call runs in a thread while the simulator serves from the event
loop of the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import pyxecm

from app.sandbox.content_server import ContentServerSimulator
from tests.conformance.operations import recorded

OTCS = recorded(
    pyxecm.OTCS,
    "pyxecm OTCS",
    at_least=60,
    left_out={
        "get_node_audit_iterator": "reads a list where the library's own get_node_audit shows "
        "an object in its captured answer, and fails on that answer",
        "upload_file_to_volume": "sends transport packages to a volume by its type alone",
    },
)
OTDS = recorded(pyxecm.OTDS, "pyxecm OTDS", at_least=1)
GUID = "6f8e3a1c-5b7d-4c29-9d0a-2f1b3c4d5e6f"
OBJECT = ("D365", "account", GUID)


class Client:
    """The library's `OTCS` object; `call` runs one of its methods in a thread."""

    def __init__(self, otcs: Any) -> None:
        self.otcs = otcs

    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """The method's answer."""
        return await asyncio.to_thread(getattr(self.otcs, method), *arguments, **named)

    async def all(self, method: str, **named: Any) -> list[Any]:
        """Exhaust one of the library's iterators."""
        return await asyncio.to_thread(lambda: list(getattr(self.otcs, method)(**named)))

    def value(self, response: Any, key: str, index: int = 0) -> Any:
        """A property of (one of) the results, as the library finds it."""
        return self.otcs.get_result_value(response=response, key=key, index=index)

    def values(self, response: Any, key: str) -> list[Any]:
        """A property of all results."""
        return list(self.otcs.get_result_values(response=response, key=key) or [])


def otcs(server: ContentServerSimulator, **credentials: Any) -> Any:
    """A client of the library for this server."""
    return OTCS(**_address(server), **credentials)


def otds(server: ContentServerSimulator, **credentials: Any) -> Any:
    """The library's client of the directory service."""
    return OTDS(**_address(server), **credentials)


async def signed_in(server: ContentServerSimulator, login: str = "", password: str = "") -> Client:
    """A client that has signed in, as the service user unless another is named."""
    user = server.service_user
    made = Client(otcs(server, username=login or user.login, password=password or user.password))
    assert await made.call("authenticate")
    return made


async def new_account(client: Client, server: ContentServerSimulator, name: str = "A") -> int:
    """An account workspace made by the library; the first one is linked to `OBJECT`."""
    response = await client.call(
        "create_workspace",
        workspace_template_id=server.template_id("Account"),
        workspace_name=name,
        workspace_description="",
        workspace_type=server.type_id("Account"),
        external_system_id=OBJECT[0],
        bo_type=OBJECT[1],
        bo_id=GUID if name == "A" else name,
    )
    return int(client.value(response, "id"))


async def new_document(
    client: Client, parent_id: int, name: str = "frame.txt", content: str = "first draft"
) -> int:
    """A document that the library uploads."""
    uploaded = await client.call(
        "upload_file_to_parent",
        parent_id=parent_id,
        file_content=content,
        file_name=name,
        mime_type="text/plain",
    )
    return int(client.value(uploaded, "id"))


def hasten(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sleeps half a minute after signing in again; a test does not have to."""
    module: Any = __import__("pyxecm.otcs", fromlist=["time"])
    pause: Callable[[float], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr(module.time, "sleep", pause)


def _address(server: ContentServerSimulator) -> dict[str, Any]:
    address = urlsplit(server.base_url)
    return {
        "protocol": address.scheme,
        "hostname": str(address.hostname),
        "port": address.port,
    }
