"""The simulator as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx

from tests.patience import PATIENCE_SECONDS


async def test_it_prints_one_json_line_answers_and_ends_when_terminated() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.sandbox.content_server", "--users", "2", "--session-idle-seconds", "90"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS))
        async with httpx.AsyncClient() as http:
            form = {"username": told["username"], "password": told["password"]}
            ticket = (await http.post(f"{told['url']}/v1/auth", data=form)).json()["ticket"]
            info = await http.get(f"{told['url']}/v1/serverinfo", headers={"OTCSTicket": ticket})
            assert info.json()["sessions"]["session_timeout"] == 90_000
            faults = (await http.get(told["admin_url"])).json()
            assert (faults["waiting"], faults["struck"]) == ([], {})
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
