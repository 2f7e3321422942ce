"""What the README promises: a sandbox and a worker in two terminals, and a row that is written
over the Web API leads to a workspace; what people do there comes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.sandbox.running.process import SandboxProcess, environment, sandbox, until

pytestmark = pytest.mark.slow


def curl(*words: str) -> str:
    """What curl prints."""
    command = ["curl", "--silent", "--show-error", "--fail", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def write(running: SandboxProcess, path: str, body: str, *words: str) -> str:
    """A call of the Web API by curl, as the pages show it."""
    token = curl(f"{running.pages}/token")
    url = f"{running.settings['DOVETAIL_DATAVERSE_URL']}/api/data/v9.2/{path}"
    headers = [f"Authorization: Bearer {token}", "Content-Type: application/json"]
    headers.append("Prefer: return=representation")
    given = [word for header in headers for word in ("--header", header)]
    return curl(*given, "--data", body, *words, url)


def account(running: SandboxProcess, row_id: str) -> dict[str, Any]:
    token = httpx.get(f"{running.pages}/token").text
    url = f"{running.settings['DOVETAIL_DATAVERSE_URL']}/api/data/v9.2/accounts({row_id})"
    row: dict[str, Any] = httpx.get(url, headers={"Authorization": f"Bearer {token}"}).json()
    return row


def test_a_row_written_by_curl_leads_to_a_workspace(tmp_path: Path) -> None:
    data = tmp_path / "data"
    log = tmp_path / "worker.log"
    with sandbox(tmp_path, "--data", str(data)) as running, log.open("wb") as output:
        settings = {**running.settings, "DOVETAIL_HTTP_PORT": "0", "DOVETAIL_LOG_FORMAT": "text"}
        worker = subprocess.Popen(
            [sys.executable, "-m", "app", "worker"],
            env=environment(tmp_path, settings),
            stdout=output,
            stderr=output,
        )
        try:
            made = httpx.Response(
                200, text=write(running, "accounts", '{"name": "Kumi Oy"}')
            ).json()
            row = _linked(running, made["accountid"], log)
            page = httpx.get(
                f"{running.pages}/content-server/workspaces/{row['new_xecmworkspaceid']}"
            )
            assert "<h1>Kumi Oy" in page.text
            # A change follows, and is not taken for the worker's own.
            write(running, f"accounts({made['accountid']})", '{"name": "Kumi AB"}', "-X", "PATCH")
            _named(running, row["new_xecmworkspaceid"], "Kumi AB", log)
        finally:
            worker.terminate()
            assert worker.wait(PATIENCE_SECONDS) == 0


def _linked(running: SandboxProcess, row_id: str, log: Path) -> dict[str, Any]:
    for _ in until():
        row = account(running, row_id)
        if row.get("new_xecmworkspaceid"):
            return row
    raise AssertionError(f"no workspace: {log.read_text()[-3000:]}")


def _named(running: SandboxProcess, workspace_id: str, name: str, log: Path) -> None:
    page = ""
    for _ in until():
        page = httpx.get(f"{running.pages}/content-server/workspaces/{workspace_id}").text
        if f"<h1>{name}" in page:
            return
    raise AssertionError(f"still not {name}: {page[:300]} {log.read_text()[-3000:]}")
