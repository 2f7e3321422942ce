"""A simulator on a real socket, and a signed-in client whose base is ``/cs/cs/api``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.sandbox.content_server import ContentServerSimulator


class Api:
    """The calls of one user: forms, ``body`` forms and multipart, as a client sends them."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(path, params=query)

    async def form(self, method: str, path: str, **fields: Any) -> httpx.Response:
        return await self.http.request(method, path, data=fields)

    async def body(self, method: str, path: str, content: dict[str, Any]) -> httpx.Response:
        return await self.http.request(method, path, data={"body": json.dumps(content)})

    async def upload(
        self, parent_id: int, name: str, content: bytes, **extra: Any
    ) -> httpx.Response:
        fields = {"type": 144, "parent_id": parent_id, "name": name, **extra}
        return await self.http.post(
            "/v2/nodes",
            data={"body": json.dumps(fields)},
            files={"file": (name, content, "text/plain")},
        )

    async def make_workspace(
        self, server: ContentServerSimulator, kind: str, name: str, bo_id: str = "", **extra: Any
    ) -> httpx.Response:
        content: dict[str, Any] = {
            "template_id": server.template_id(kind),
            "name": name,
            "type": 848,
            **extra,
        }
        if bo_id:
            bo_type = {"Case": "incident"}.get(kind, kind.lower())
            content |= {"ext_system_id": "D365", "bo_type": bo_type, "bo_id": bo_id}
        return await self.body("POST", "/v2/businessworkspaces", content)


@pytest.fixture
async def server() -> AsyncIterator[ContentServerSimulator]:
    async with ContentServerSimulator(seed=7) as running:
        yield running


@pytest.fixture
async def api(server: ContentServerSimulator) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        user = server.service_user
        signed = await http.post(
            "/v1/auth", data={"username": user.login, "password": user.password}
        )
        http.headers["OTCSTicket"] = signed.json()["ticket"]
        yield Api(http)
